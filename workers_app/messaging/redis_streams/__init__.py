"""A kombu transport over Redis or Valkey Streams, for any Celery application.

Import this module before the first connection is made, and name the broker by one of::

    redis+stream://[user:password@]host[:port][/database]
    rediss+stream://…                                        TLS, with kombu's `ssl` option or `?ssl_cert_reqs=…`
    redis+stream+socket:///path/to/socket[?virtual_host=database]

Each queue is one stream for every priority step, and one for what was given back, each with one consumer group. Many
messages are fetched in one round trip, which also confirms those that were acknowledged. The server knows who holds
what; a consumer that lives says so for all that it holds, from a thread, so there is no visibility timeout.

What is promised:

* A message that was published is delivered at least once, whichever process is killed when, as long as the server
  keeps its data. Only `no_ack` consumers lose what they had fetched. Acknowledged messages are deleted.
* Priorities are those of kombu's Redis transport: the lowest step comes first. Each fetch takes the most urgent
  messages that wait, so a less urgent one is ahead by no more than a consumer has prefetched.
* Never more is fetched than `prefetch_count` allows. Queues of one channel take turns.
* What is rejected with `requeue`, or held when its channel closes, is available to all at once, is delivered before
  anything else of its queue, whatever its priority, and counts as redelivered.
* What a dead process held is delivered to others, as redelivered, when it was silent for `claim_after`; that is
  noticed within another half of that time. A process that is stopped or starved for so long counts as dead.
* Fanout is PUB/SUB: who does not listen misses it.

`transport_options`, beside those that kombu itself uses:

===========================  ===========  ============================================================================
name                         default      meaning
===========================  ===========  ============================================================================
``claim_after``              30           seconds of silence after which others may take what a consumer holds
``batch``                    200          messages to fetch at most in one round trip
``block``                    5            seconds for which the server holds back an empty reply
``ack_delay``                0.01         seconds after which an acknowledgement is sent at the latest
``priority_steps``           0, 3, 6, 9   as in kombu's Redis transport; the same for all who share a queue
``global_keyprefix``         ""           put before all keys and topics
``fanout_prefix``            True         ``/{db}.stream.``, another text, or none where it is False
``fanout_patterns``          True         whether fanout topics hold the routing key and bindings may be patterns
``deadletter_queue``         None         where messages go that no binding matches
``socket_timeout``           None         seconds; no reply for so long is a lost connection
``socket_connect_timeout``   None         seconds
``socket_keepalive``         None         and ``socket_keepalive_options``: see redis-py
``health_check_interval``    25           seconds; stands in for `socket_timeout` where there is none; 0: wait for ever
``client_name``              None         the name of the connections in the server
===========================  ===========  ============================================================================

Queues may be declared with `expires`; `expiration` of a message is judged by the clocks of publisher and consumer.
The server must be Redis 6.2 or later or Valkey, and not a cluster. Users need, beside the commands for streams and
PUB/SUB, EVAL and EVALSHA, and SCRIPT LOAD; without CLIENT UNBLOCK new consumers start after up to `block` seconds.
"""

from typing import Any

import kombu.transport
from kombu.transport import redis as kombu_redis

from workers_app.messaging.redis_streams.channel import Channel
from workers_app.messaging.redis_streams.transport import Transport

__all__ = ["Channel", "Transport", "register"]


class Redis(kombu_redis.Transport):
    """kombu's own transport for `redis://…`, which also gets to see `redis+stream://…`.

    kombu cuts a URL at its first `+`: the first part names the transport, and the second is taken for a host name.
    """

    def __new__(cls, client: Any, **kwargs: Any) -> Any:
        """The one of both transports that the rest of the URL asks for."""
        if (client.hostname or "").startswith(("stream://", "stream+socket://")):
            return Transport(client, **kwargs)
        return super().__new__(cls)


def register() -> None:
    """Teach kombu the schemes `redis+stream`, `rediss+stream` and `redis+stream+socket`; importing does it."""
    names = {"redis": "Redis", "rediss": "Redis"}
    names |= dict.fromkeys(("redis+stream", "rediss+stream", "redis+stream+socket"), "Transport")
    for scheme, name in names.items():
        kombu.transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:{name}"
        # kombu remembers what it has looked up once.
        kombu.transport._transport_cache.pop(scheme, None)


register()
