"""nginx's configuration for nchan: one location to publish, one to subscribe. Pure.

What differs from the defaults has a reason. nginx closes a kept-alive connection after 1,000 requests; a
publisher has more to post. It keeps a body over 16 kB on disk; here it stays in memory, as in Taskreel. A
channel keeps 1,000 messages for those who come back, and not 10. The rest makes room for the clients.
Comments that keep an idle connection open are off, as by default: they need a timer a client, which each
delivery sets back. Redis must be named in each location; named for the whole server, it is silently not used.

Directives: https://nchan.io and https://nginx.org/en/docs/, of nginx 1.22 and nchan 1.3.6.
"""

from __future__ import annotations

from pathlib import Path

_CONFIGURATION = """\
load_module {module};
daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
worker_rlimit_nofile {connections};
events {{
    worker_connections {connections};
    multi_accept on;
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_max_body_size 1m;
    client_body_buffer_size 1m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    nchan_shared_memory_size 512m;
    nchan_message_buffer_length 1000;
    nchan_message_timeout 5m;{upstream}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/tasks/([-0-9a-f]+)/publish$ {{
            nchan_publisher http;
            nchan_channel_id $1;{storage}
        }}
        location ~ ^/tasks/([-0-9a-f]+)/stream$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;{storage}
        }}
        location = /status {{
            nchan_stub_status;
        }}
    }}
}}
"""

_UPSTREAM = """
    upstream redis {{
        nchan_redis_server 127.0.0.1:{port};
        nchan_redis_storage_mode distributed;
    }}"""

_STORAGE = """
            nchan_redis_pass redis;"""


def configuration(module: Path, port: int, connections: int, redis: int | None) -> str:
    """The text of an `nginx.conf`.

    Args:
        module: nchan's shared object.
        port: to listen on, on 127.0.0.1.
        connections: as many as its one worker may have.
        redis: the port of the Redis that holds the messages; None for nginx's own memory.
    """
    return _CONFIGURATION.format(
        module=module,
        port=port,
        connections=connections,
        upstream="" if redis is None else _UPSTREAM.format(port=redis),
        storage="" if redis is None else _STORAGE,
    )
