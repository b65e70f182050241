"""One durable word in each server: put it, get it back."""

import amqp
import psycopg
import redis

from services import PostgreSQL, RabbitMQ, Redis, Server


def put(server: Server, word: str) -> None:
    """Store the word; it is safe when this returns."""
    PUT[type(server)](server, word)


def get(server: Server) -> str | None:
    """The word that was stored, None if there is none."""
    return GET[type(server)](server)


def _put_redis(server: Server, word: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("word", word)


def _get_redis(server: Server) -> str | None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return client.get("word")


def _put_postgresql(server: Server, word: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("TRUNCATE words")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def _get_postgresql(server: Server) -> str | None:
    with psycopg.connect(server.url) as connection:
        if connection.execute("SELECT to_regclass('words')").fetchone() == (None,):
            return None
        row = connection.execute("SELECT word FROM words").fetchone()
        return row[0] if row else None


def rabbit(server: Server, **tls: str) -> amqp.Connection:
    """An open connection; encrypted if there are settings for it."""
    memory = server.memory
    return amqp.Connection(
        host=f"127.0.0.1:{memory['tls_port' if tls else 'port']}",
        userid="scheduler",
        password=memory["password"],
        ssl=tls or False,
        confirm_publish=True,
        connect_timeout=5,
    )


def _put_rabbitmq(server: Server, word: str) -> None:
    with rabbit(server) as connection, connection.channel() as channel:
        channel.queue_declare("word", durable=True, auto_delete=False)
        channel.queue_purge("word")
        channel.basic_publish(amqp.Message(word, delivery_mode=2), routing_key="word", timeout=5)


def _get_rabbitmq(server: Server) -> str | None:
    with rabbit(server) as connection, connection.channel() as channel:
        channel.queue_declare("word", durable=True, auto_delete=False)
        message = channel.basic_get("word")
        if message is None:
            return None
        channel.basic_reject(message.delivery_tag, requeue=True)
        return message.body


PUT = {Redis: _put_redis, PostgreSQL: _put_postgresql, RabbitMQ: _put_rabbitmq}
GET = {Redis: _get_redis, PostgreSQL: _get_postgresql, RabbitMQ: _get_rabbitmq}
