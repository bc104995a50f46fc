/* A load generator for event streams: thousands of clients in one thread, at a small part of the server's cost.
 *
 *   load stream --port P --clients N --paths FILE --until SEQ [--seconds S] [--connecting K]
 *   load slow   --port P --clients N --paths FILE --seconds S [--connecting K]
 *   load reset  --port P --clients N --paths FILE [--connecting K]
 *
 * FILE holds a request target a line, optionally followed by a tab and a Last-Event-ID; client i takes line i modulo
 * their number. K connects are under way at a time (64).
 *
 * stream  Prints {"ready":true,...} when every client has its response's head and a first byte of body.
 *         Receives until each has the event SEQ, was closed, or S seconds are over.
 *         An event is a line `data: {"seq":N,`; each N must be the client's last plus one. A `"sent":NS` in the line,
 *         on CLOCK_MONOTONIC, gives its latency. SIGTERM ends it early.
 * slow    Reads one byte a second from each, through the smallest receive buffer there is.
 * reset   Resets each connection at a random one of five moments: before the request, within it, after it, at the
 *         response's first byte, at the body's first byte.
 *
 * Each prints one line of JSON at its end. Status 1: it could not do what it was asked; a line on stderr says why.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 256, BUFFER = 1 << 18, MOMENTS = 5, SUB = 128, BUCKETS = 40 * SUB };
enum state { CONNECTING, HEAD, BODY, DONE, CLOSED };

struct client {
    int fd, index;
    enum state state;
    int chunked, begun, has_cursor, moment;
    int size_digits, chunk_size; /* of the framing that is being read */
    uint64_t chunk_left, last;   /* bytes of body until the next framing; the last seq, 0 for none */
    int line_length;
    char *line; /* the beginning of a line whose end has not come yet; allocated when first needed */
};

static struct {
    const char *mode, *paths;
    int port, clients, connecting;
    uint64_t until;
    double seconds;
} wanted = {.connecting = 64, .until = UINT64_MAX, .seconds = 3600};

static struct client *clients;
static char **targets, **cursors, buffer[BUFFER];
static int target_count, poller, under_way, next_client, begun, complete, closed, refused, resets;
static uint64_t deliveries, disordered, bytes, timed, largest, histogram[BUCKETS];
static volatile sig_atomic_t stopped;

static void fail(const char *what) {
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Buckets of equal width within each power of two: under 1 % of error, in microseconds. */
static void record(uint64_t ns) {
    uint64_t us = ns / 1000;
    int shift = us < SUB ? 0 : 64 - __builtin_clzll(us) - 7;
    int bucket = us < SUB ? (int)us : shift * (SUB / 2) + (int)(us >> shift);
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    timed++;
    if (ns > largest) largest = ns;
}

static double percentile_ms(double percent) {
    uint64_t rank = (uint64_t)(timed * percent / 100.0), seen = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram[bucket];
        if (seen > rank) {
            int shift = bucket < SUB ? 0 : bucket / (SUB / 2) - 1;
            uint64_t us = bucket < SUB ? (uint64_t)bucket : (uint64_t)(bucket - shift * (SUB / 2)) << shift;
            return us / 1000.0;
        }
    }
    return largest / 1e6;
}

static void read_targets(void) {
    FILE *file = fopen(wanted.paths, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (!file) fail(wanted.paths);
    while ((length = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *tab = strchr(line, '\t');
        if (tab) *tab++ = 0;
        targets = realloc(targets, (target_count + 1) * sizeof *targets);
        cursors = realloc(cursors, (target_count + 1) * sizeof *cursors);
        targets[target_count] = strdup(line);
        cursors[target_count++] = tab ? strdup(tab) : NULL;
    }
    free(line);
    fclose(file);
    errno = 0;
    if (!target_count) fail("no request targets");
}

static int request(struct client *client, char *text, size_t room) {
    int target = client->index % target_count;
    const char *cursor = cursors[target];
    const char *dash = cursor ? strchr(cursor, '-') : NULL;
    client->has_cursor = cursor != NULL;
    client->last = dash ? strtoull(dash + 1, NULL, 10) : 0;
    return snprintf(text, room, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s%s%s\r\n",
                    targets[target], cursor ? "Last-Event-ID: " : "", cursor ? cursor : "", cursor ? "\r\n" : "");
}

static void leave(struct client *client, enum state state) {
    if (client->state == CONNECTING || client->state == HEAD || !client->begun) under_way--;
    if (client->state != DONE && state == DONE) complete++;
    if (client->state != DONE && state == CLOSED) closed++;
    if (state == CLOSED) {
        close(client->fd);
        client->fd = -1;
    }
    if (client->state != DONE) client->state = state;
    client->begun = 1;
}

static void reset(struct client *client) {
    struct linger hard = {1, 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(client->fd);
    client->fd = -1;
    client->state = CLOSED;
    under_way--;
    resets++;
}

static void begin(void) {
    struct client *client = &clients[next_client];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(wanted.port)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};
    int smallest = 1, segment = 1460;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->index = next_client++;
    client->moment = rand() % MOMENTS;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) fail("socket");
    if (!strcmp(wanted.mode, "slow")) {
        /* A network's segments: of loopback's, which have 64 kB, the server's kernel would buffer some twenty. */
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
        setsockopt(client->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
    errno = 0;
    under_way++;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event)) fail("epoll_ctl");
}

static void connected(struct client *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    char text[1024];
    int length = request(client, text, sizeof text), one = 1, resetting = !strcmp(wanted.mode, "reset");
    if (length >= (int)sizeof text) fail("a request target is too long");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (resetting && client->moment == 0) return reset(client);
    if (resetting && client->moment == 1) length = 1 + rand() % (length - 1);
    if (send(client->fd, text, length, MSG_NOSIGNAL) != length) return leave(client, CLOSED);
    if (resetting && client->moment <= 2) return reset(client);
    client->state = HEAD;
    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
}

static void take_line(struct client *client, const char *line, int length) {
    static const char prefix[] = "data: {\"seq\":";
    if (length < (int)sizeof prefix || memcmp(line, prefix, sizeof prefix - 1)) return;
    uint64_t seq = strtoull(line + sizeof prefix - 1, NULL, 10);
    deliveries++;
    if ((client->last || client->has_cursor) && seq != client->last + 1) disordered++;
    client->last = seq;
    char *sent = memmem(line, length, "\"sent\":", 7);
    if (sent) record(now_ns() - strtoull(sent + 7, NULL, 10));
    if (seq >= wanted.until && client->state == BODY) {
        client->state = DONE;
        complete++;
    }
}

static void keep(struct client *client, const char *part, int length) {
    if (!client->line) client->line = malloc(LINE);
    if (!client->line) fail("out of memory");
    if (length > LINE - 1 - client->line_length) length = LINE - 1 - client->line_length;
    memcpy(client->line + client->line_length, part, length);
    client->line_length += length;
    client->line[client->line_length] = 0;
}

static void take_body(struct client *client, const char *data, int length) {
    if (length && !client->begun) {
        client->begun = 1;
        under_way--;
        begun++;
    }
    while (length) {
        const char *end = memchr(data, '\n', length);
        int part = end ? (int)(end - data) : length;
        if (!end || client->line_length) keep(client, data, part);
        if (!end) return;
        if (client->line_length) take_line(client, client->line, client->line_length);
        else take_line(client, data, part);
        client->line_length = 0;
        data += part + 1;
        length -= part + 1;
    }
}

/* Chunked transfer coding, RFC 9112, section 7.1; without extensions and trailers, which none of the servers sends. */
static void take_chunks(struct client *client, const char *data, int length) {
    while (length) {
        if (client->chunk_left) {
            int part = client->chunk_left < (uint64_t)length ? (int)client->chunk_left : length;
            take_body(client, data, part);
            client->chunk_left -= part;
            data += part;
            length -= part;
            continue;
        }
        char byte = *data++;
        length--;
        if (byte == '\r') continue;
        if (byte != '\n') {
            client->chunk_size = client->chunk_size * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
            client->size_digits++;
        } else if (client->size_digits) {
            client->chunk_left = client->chunk_size;
            client->chunk_size = client->size_digits = 0;
        }
    }
}

static void take_head(struct client *client, char *data, int length) {
    data[length] = 0;
    char *end = strstr(data, "\r\n\r\n");
    if (strncmp(data, "HTTP/1.1 200", 12) || !end) {
        refused++;
        return leave(client, CLOSED);
    }
    *end = 0;
    client->chunked = strcasestr(data, "transfer-encoding: chunked") != NULL;
    client->state = BODY;
    end += 4;
    (client->chunked ? take_chunks : take_body)(client, end, length - (int)(end - data));
}

static void readable(struct client *client) {
    ssize_t length = recv(client->fd, buffer, BUFFER - 1, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) return leave(client, CLOSED);
    bytes += length;
    if (!strcmp(wanted.mode, "reset") && client->moment == 3) return reset(client);
    if (client->state == HEAD) take_head(client, buffer, (int)length);
    else (client->chunked ? take_chunks : take_body)(client, buffer, (int)length);
    if (!strcmp(wanted.mode, "reset") && client->begun && client->fd >= 0) {
        under_way++; /* which its first byte had ended, and reset ends too */
        reset(client);
    }
}

static void step(int timeout_ms) {
    struct epoll_event events[1024];
    while (under_way < wanted.connecting && next_client < wanted.clients) begin();
    int count = epoll_wait(poller, events, 1024, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (client->fd < 0) continue;
        if (client->state != CONNECTING) readable(client);
        else if (events[i].events & (EPOLLERR | EPOLLHUP)) leave(client, CLOSED);
        else connected(client);
    }
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void stream(void) {
    uint64_t began = now_ns(), ready = 0;
    while (!stopped && complete + closed < wanted.clients) {
        step(100);
        if (!ready && begun + closed >= wanted.clients) {
            ready = now_ns();
            printf("{\"ready\":true,\"seconds\":%.6f,\"closed\":%d}\n", (ready - began) / 1e9, closed);
            fflush(stdout);
        }
        if (now_ns() - (ready ? ready : began) > wanted.seconds * 1e9) break;
    }
    printf("{\"clients\":%d,\"complete\":%d,\"closed\":%d,\"refused\":%d,\"deliveries\":%lu,\"disordered\":%lu,"
           "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"timed\":%lu,\"cpu_seconds\":%.3f,"
           "\"seconds\":%.6f,\"bytes\":%lu}\n",
           wanted.clients, complete, closed, refused, deliveries, disordered, percentile_ms(50), percentile_ms(90),
           percentile_ms(99), largest / 1e6, timed, cpu_seconds(), (now_ns() - began) / 1e9, bytes);
}

/* Connects and sends through the same steps as the others, then reads by hand. */
static void slow(void) {
    int ready = 0;
    uint64_t until = now_ns() + (uint64_t)(wanted.seconds * 1e9);
    while (!stopped && (next_client < wanted.clients || under_way)) {
        under_way = 0; /* none waits for a body here */
        for (int i = 0; i < next_client; i++) under_way += clients[i].state == CONNECTING;
        if (next_client == wanted.clients && !under_way) break;
        step(10);
        for (int i = ready; i < next_client && clients[i].state >= HEAD; i++) ready = i + 1;
        for (int i = 0; i < ready; i++)
            if (clients[i].fd >= 0) epoll_ctl(poller, EPOLL_CTL_DEL, clients[i].fd, NULL);
    }
    printf("{\"ready\":true}\n");
    fflush(stdout);
    while (!stopped && now_ns() < until) {
        for (int i = 0; i < wanted.clients; i++) {
            if (clients[i].fd < 0) continue;
            ssize_t length = recv(clients[i].fd, buffer, 1, MSG_DONTWAIT);
            if (length > 0) bytes++;
            else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
                close(clients[i].fd);
                clients[i].fd = -1;
                closed++;
            }
        }
        sleep(1);
    }
    printf("{\"clients\":%d,\"closed\":%d,\"bytes\":%lu}\n", wanted.clients, closed, bytes);
}

static void resetting(void) {
    uint64_t began = now_ns();
    while (!stopped && resets + closed < wanted.clients) step(100);
    printf("{\"clients\":%d,\"resets\":%d,\"closed\":%d,\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n", wanted.clients,
           resets, closed, (now_ns() - began) / 1e9, cpu_seconds());
}

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static void parse(int count, char **words) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},    {"clients", 1, 0, 'n'},    {"paths", 1, 0, 'f'},     {"until", 1, 0, 'u'},
        {"seconds", 1, 0, 's'}, {"connecting", 1, 0, 'k'}, {0},
    };
    int option;
    wanted.mode = count > 1 ? words[1] : "";
    while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
        if (option == 'p') wanted.port = atoi(optarg);
        else if (option == 'n') wanted.clients = atoi(optarg);
        else if (option == 'f') wanted.paths = optarg;
        else if (option == 'u') wanted.until = strtoull(optarg, NULL, 10);
        else if (option == 's') wanted.seconds = atof(optarg);
        else if (option == 'k') wanted.connecting = atoi(optarg);
        else exit(1);
    }
    if (!wanted.port || wanted.clients < 1 || !wanted.paths) fail("--port, --clients and --paths are needed");
}

int main(int count, char **words) {
    struct rlimit files;
    errno = 0;
    parse(count, words);
    read_targets();
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    errno = 0;
    if (strcmp(wanted.mode, "reset") && files.rlim_cur < (rlim_t)wanted.clients + 16) fail("too few file descriptors: ulimit -n");
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    clients = calloc(wanted.clients, sizeof *clients);
    poller = epoll_create1(0);
    if (!clients || poller < 0) fail("epoll_create1");
    if (!strcmp(wanted.mode, "stream")) stream();
    else if (!strcmp(wanted.mode, "slow")) slow();
    else if (!strcmp(wanted.mode, "reset")) resetting();
    else fail("the mode is stream, slow or reset");
    return 0;
}
