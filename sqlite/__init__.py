"""The catalog: schema, migrations, the one writer, and the questions users ask."""
