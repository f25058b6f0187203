"""Settings, all of them read from the environment with defaults that fit ``bin/serve``: a module for each subject.

While ``bin/serve`` runs, ``$MARKETPLACE_VAR/run/env`` holds the URLs of the parts it started, so that
``manage.py`` finds them by itself. Real environment variables always win over that file.
"""

import django_stubs_ext

from marketplace.settings.background import *  # noqa: F403
from marketplace.settings.browser import *  # noqa: F403
from marketplace.settings.core import *  # noqa: F403
from marketplace.settings.environment import *  # noqa: F403
from marketplace.settings.languages import *  # noqa: F403
from marketplace.settings.logs import *  # noqa: F403
from marketplace.settings.machines import *  # noqa: F403
from marketplace.settings.messages import *  # noqa: F403
from marketplace.settings.money import *  # noqa: F403
from marketplace.settings.people import *  # noqa: F403
from marketplace.settings.privacy import *  # noqa: F403
from marketplace.settings.rules import *  # noqa: F403
from marketplace.settings.stores import *  # noqa: F403

django_stubs_ext.monkeypatch()
