"""The domain of parallel-workers: values, decisions, ports and adapters. Imports no Prefect."""

__version__ = "0.1.0"
