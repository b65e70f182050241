"""Django's settings: everything that differs between installations comes from the environment."""

from pathlib import Path
from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

from scheduler_project import databases
from workers_app import environment

BASE_DIR = Path(__file__).parent.parent
STATE_DIR = environment.state_dir()

# Never empty, so that `manage.py check` can tell what is wrong; `refuse_problems` stops every service.
SECRET_KEY = environment.required("SECRET_KEY", "Set a long random string, the same for all services.") or "unset"
DEBUG = False
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost 127.0.0.1 [::1]")
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")

MODEL_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "access_app", "tasks_app", "workers_app"]
INSTALLED_APPS = [
    "unfold",
    # The admin is loaded with the addresses.
    "django.contrib.admin.apps.SimpleAdminConfig",
    *MODEL_APPS,
    "django_celery_beat",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "scheduler_project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "scheduler_project.urls"
ASGI_APPLICATION = "scheduler_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASE_URL = environment.text("DATABASE_URL", f"sqlite:///{STATE_DIR}/scheduler.sqlite3")
DATABASES: dict[str, Any] = {"default": databases.parse(DATABASE_URL)}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_REDIRECT_URL = "admin:index"
STATIC_URL = "static/"
# Serves straight from the packages, so that no collectstatic step can be forgotten.
WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

# What there may be at once: requests that a web process has taken on and not answered yet, and pending runs in all.
WEB_MAX_WAITING = int(environment.number("WEB_MAX_WAITING", 64, 1, 100_000))
MAX_PENDING = int(environment.number("MAX_PENDING", 1_000_000, 1, 1_000_000_000))

# How django-celery-beat reads its crontabs, and that its rows are looked after, so that its admin does not warn.
CELERY_TIMEZONE = environment.zone("CELERY_TIMEZONE", "UTC")
DJANGO_CELERY_BEAT_TZ_AWARE = environment.flag("DJANGO_CELERY_BEAT_TZ_AWARE", True)
CELERY_BEAT_SCHEDULER = "django"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "access_app.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["access_app.permissions.ModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "tasks_app.api.paging.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["tasks_app.api.filters.ListFilter"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tasks_app.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Scheduler API",
    "DESCRIPTION": "Define tasks, trigger and watch their runs, look after workers.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    # From our own package, so that the page works without the internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tasks_app.api.openapi.describe_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
        "BackfillStatus": "tasks_app.models.Backfill.Status",
        "CatchUp": "tasks_app.models.Task.CatchUp",
        "TaskStatus": "tasks_app.models.Task.Status",
        "FlowStatus": "tasks_app.models.FlowRun.Status",
        "RunStatus": "tasks_app.models.TaskRun.Status",
        "WorkerStatus": "workers_app.models.WorkerInfo.Status",
    },
}


def _page(title: str, icon: str, model: str) -> dict[str, Any]:
    """An entry of the admin's side bar, for those who may see the model's rows."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


UNFOLD = {
    "SITE_TITLE": "Scheduler",
    "SITE_HEADER": "Scheduler",
    "SITE_SYMBOL": "schedule",
    "SHOW_HISTORY": True,
    "STYLES": [lambda request: static("tasks_app/admin.css")],
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": "Scheduling",
                "items": [
                    _page("Tasks", "task", "tasks_app.task"),
                    _page("Runs", "play_circle", "tasks_app.taskrun"),
                    _page("Flows", "account_tree", "tasks_app.flowrun"),
                    _page("Workers", "dns", "workers_app.workerinfo"),
                    _page("Pauses", "pause_circle", "tasks_app.pause"),
                    _page("Backfills", "history", "tasks_app.backfill"),
                    _page("Calendars", "calendar_month", "tasks_app.calendar"),
                    _page("Pools", "pool", "tasks_app.pool"),
                    _page("Circuits", "electrical_services", "tasks_app.circuit"),
                    _page("Celery beat", "update", "django_celery_beat.periodictask"),
                ],
            },
            {
                "title": "Access",
                "items": [
                    _page("Namespaces", "folder", "access_app.namespace"),
                    _page("API keys", "key", "access_app.apikey"),
                    _page("Users", "person", "auth.user"),
                    _page("Groups", "group", "auth.group"),
                ],
            },
        ],
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
