"""Real servers for tests and benchmarks: PostgreSQL, RabbitMQ and Redis, installed and run by us. No Django in here."""

from services.base import Server, ServerError
from services.certificates import Certificates
from services.known import Entry, Services, load
from services.postgresql import PostgreSQL
from services.rabbitmq import RabbitMQ
from services.redis import Redis, Valkey

__all__ = [
    "Certificates",
    "Entry",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "Server",
    "ServerError",
    "Services",
    "Valkey",
    "load",
]
