"""Workers as Slurm jobs, through dask-jobqueue: checked before submission, watched, and always cancelled at the end.

dask-jobqueue alone neither tells why sbatch refused a job nor replaces jobs that die before their worker starts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
from distributed.core import Status
from distributed.deploy.spec import ProcessInterface

from ..data.errors import ClusterError, UsageError
from ..data.settings import ClusterSettings
from . import slurm_queue
from .cluster import WORKER_ENVIRONMENT, Workers, dashboard_options, memory_bytes
from .slurm_drain import JOB_END_VARIABLE, Drain, drain_margin_second
from .slurm_watch import SubmissionError, Watch

