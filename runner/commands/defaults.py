"""The campaign file and store that a command uses when the user names none."""

from ..campaign.default_paths import DEFAULT_CAMPAIGN as DEFAULT_CAMPAIGN
from ..campaign.default_paths import DEFAULT_STORE as DEFAULT_STORE
from ..campaign.default_paths import DEMO_STORE as DEMO_STORE
from ..campaign.default_paths import store_root as store_root
