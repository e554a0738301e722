"""Where the log of the server goes."""

from __future__ import annotations

import json
import logging.config
from typing import Any

from filetracker.errors import FiletrackerError
from filetracker.servers.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Sets up logging for this process.

    Raises :class:`~filetracker.errors.FiletrackerError`.
    """
    try:
        logging.config.dictConfig(_configuration(settings))
    except (OSError, ValueError, TypeError, AttributeError, ImportError) as error:
        # dictConfig wraps the reason in an error of its own.
        cause = error.__cause__ or error
        raise FiletrackerError('cannot set up the log: %s' % cause) from error


def _configuration(settings: Settings) -> dict[str, Any]:
    if settings.log_config:
        with open(settings.log_config, encoding='utf-8') as file:
            configuration = json.load(file)
        if not isinstance(configuration, dict):
            raise ValueError('%s holds no JSON object' % settings.log_config)
        # Else the loggers of the modules that are imported already would be silenced.
        return {'disable_existing_loggers': False, **configuration}
    if settings.log:
        target = {'class': 'logging.FileHandler', 'filename': settings.log}
    else:
        target = {'class': 'logging.StreamHandler', 'stream': 'ext://sys.stdout'}
    return {
        'version': 1,
        'disable_existing_loggers': False,
        'formatters': {
            'line': {
                'format': '%(asctime)s %(levelname)-8s (%(process)d) %(name)s %(message)s',
            }
        },
        'handlers': {'log': {**target, 'formatter': 'line'}},
        'root': {'level': settings.log_level, 'handlers': ['log']},
    }
