/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets: which connection an operation was on, what TCP knows of it, when it began and ended, and
 * how long requests and their answers take.
 */
#include "io.bpf.h"
#include "compat.bpf.h"

#define AF_UNIX_ 1

#define SOCK_STREAM_    1
#define SOCK_DGRAM_     2
#define SOCK_SEQPACKET_ 5

#define IPPROTO_TCP_   6
#define IPPROTO_MPTCP_ 262

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT    2
#define TCP_SYN_RECV    3
#define TCP_CLOSE       7
#define TCP_CLOSE_WAIT  8
#define TCP_LISTEN      10

/* What a connection is in the middle of. */
enum conn_phase {
	PHASE_NONE,
	PHASE_RECEIVED, /* the last bytes went in: a server works on a request */
	PHASE_SENT, /* the last bytes went out: a client waits for the answer */
};

/*
 * One socket. Written by the threads that use it, one at a time for most programs; connect_ns and
 * arrival_ns by whoever brings its packets. Where two threads share a socket, one of two entries at
 * the same moment may win; sums stand elsewhere.
 */
struct conn {
	u64 id;
	u64 ino; /* of the socket: the same address may be another socket later */
	u64 owner; /* task, or 0 while nobody has used it */
	u64 since_ns;
	u64 phase_ns; /* when the phase began */
	u64 phase_bytes; /* received in it */
	u64 connect_ns; /* connect() began */
	u64 arrival_ns; /* data that nobody has received yet came in; 0 = none */
	u32 segs_in, segs_out, retransmits; /* charged up to here */
	u32 tgid;
	u8 role; /* enum wire_conn_role */
	u8 phase;
	u8 active;
	u8 in_connect; /* connect() has not returned */
	u8 failed; /* to connect, and the program has not fetched the error */
	u8 closed; /* its end was told; the program may still read what came before */
	u8 told; /* user space knows of it */
	u8 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64); /* struct sock * */
	__type(value, struct conn);
} conns SEC(".maps");

/* Other ends of datagram sockets that are not connected. */
struct peer_key {
	u64 sock;
	struct io_peer peer;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct peer_key);
	__type(value, u64); /* id */
} peers SEC(".maps");

/* TCP ports that a target listens on: the sign of who began a connection. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u32);
} listen_ports SEC(".maps");

/* Connections to these ports that are established and not accepted yet: since when. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} arrivals SEC(".maps");

static __always_inline u32 sock_state(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state);
}

static __always_inline u32 sock_family(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_family);
}

static __always_inline bool is_inet(u32 family)
{
	return family == AF_INET_ || family == AF_INET6_;
}

static __always_inline bool is_tcp(struct sock *sk)
{
	u32 protocol = sock_protocol(sk);

	return is_inet(sock_family(sk)) &&
	       (protocol == IPPROTO_TCP_ || protocol == IPPROTO_MPTCP_) &&
	       sock_type(sk) == SOCK_STREAM_;
}

/* MPTCP's sockets are not TCP's; those below them are. */
static __always_inline bool has_segments(struct sock *sk)
{
	return is_tcp(sk) && sock_protocol(sk) == IPPROTO_TCP_;
}

static __always_inline bool is_datagram(struct sock *sk)
{
	return sock_type(sk) != SOCK_STREAM_ && sock_type(sk) != SOCK_SEQPACKET_;
}

/* Connected, and its program may still use it. */
static __always_inline bool is_open_state(struct sock *sk)
{
	u32 state = sock_state(sk);

	if (is_datagram(sk))
		return false;
	return state == TCP_ESTABLISHED || (is_tcp(sk) && state == TCP_CLOSE_WAIT);
}

static __always_inline bool is_listened(u32 port)
{
	return bpf_map_lookup_elem(&listen_ports, &port) != NULL;
}

static __always_inline bool unix_is_bound(struct sock *sk)
{
	return BPF_CORE_READ((struct unix_sock *)sk, addr) != NULL;
}

/* Of a socket whose beginning was not seen: who listens on its port, or has its path, was asked. */
static __always_inline u32 guess_role(struct sock *sk)
{
	u32 state = sock_state(sk);

	if (is_datagram(sk))
		return ROLE_DATAGRAM;
	if (state == TCP_LISTEN)
		return ROLE_LISTENER;
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return ROLE_UNKNOWN;
	if (is_inet(sock_family(sk)))
		return is_listened(BPF_CORE_READ(sk, __sk_common.skc_num)) ? ROLE_SERVER
									   : ROLE_CLIENT;
	if (sock_family(sk) == AF_UNIX_)
		return unix_is_bound(sk) ? ROLE_SERVER : ROLE_CLIENT;
	return ROLE_UNKNOWN;
}

/* A record to fill in and submit; NULL when there is no room. */
static __always_inline struct wire_conn *conn_record(u32 event, u32 tgid, u64 now)
{
	struct wire_conn *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		count_refused(sizeof(*record));
		return NULL;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->hdr.kind = WIRE_CONN;
	record->hdr.sz = sizeof(*record);
	record->hdr.tgid = tgid;
	record->hdr.ns = now;
	record->event = event;
	return record;
}

static __always_inline void fill_addresses(struct wire_conn *record, struct sock *sk)
{
	/* not skc_num, which is gone when its state becomes CLOSE */
	record->local_port = __builtin_bswap16(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	record->peer_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (record->family == AF_INET_) {
		bpf_core_read(record->local, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_core_read(record->peer, 4, &sk->__sk_common.skc_daddr);
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(record->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(record->peer, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

/* The path of the socket itself, or of the one that it is connected to. Abstract names begin with a
 * NUL, which becomes an @. */
static __always_inline void fill_path(struct wire_conn *record, struct sock *sk)
{
	struct unix_address *address = BPF_CORE_READ((struct unix_sock *)sk, addr);
	struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	u32 sz;

	if (!address && peer)
		address = BPF_CORE_READ((struct unix_sock *)peer, addr);
	if (!address)
		return;
	if (bpf_core_read(record->path, 1, &address->name[0].sun_path[0]))
		return;
	if (record->path[0]) {
		bpf_probe_read_kernel_str(record->path, sizeof(record->path),
					  (char *)address +
						  bpf_core_field_offset(struct unix_address, name) +
						  2);
		return;
	}
	/* its length says where it ends: no NUL does */
	sz = BPF_CORE_READ(address, len) - sizeof(short) - 1;
	if (sz > sizeof(record->path) - 2)
		sz = sizeof(record->path) - 2;
	record->path[0] = '@';
	bpf_probe_read_kernel(record->path + 1, sz,
			      (char *)address + bpf_core_field_offset(struct unix_address, name) +
				      3);
}

static __always_inline void fill_tcp(struct wire_conn *record, struct conn *conn, struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	record->flags |= CONN_HAS_TCP;
	record->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
	record->rttvar_us = BPF_CORE_READ(tcp, mdev_us) >> 2; /* as TCP_INFO does */
	record->min_rtt_us = BPF_CORE_READ(tcp, rtt_min.s[0].v);
	record->cwnd = BPF_CORE_READ(tcp, snd_cwnd);
	record->mss = BPF_CORE_READ(tcp, mss_cache);
	record->segs_out = BPF_CORE_READ(tcp, segs_out);
	record->segs_in = BPF_CORE_READ(tcp, segs_in);
	record->retransmits = BPF_CORE_READ(tcp, total_retrans);
	record->bytes_acked = BPF_CORE_READ(tcp, bytes_acked);
	record->bytes_received = BPF_CORE_READ(tcp, bytes_received);
	record->rest_out = record->segs_out - conn->segs_out;
	record->rest_in = record->segs_in - conn->segs_in;
	record->rest_retransmits = record->retransmits - conn->retransmits;
	conn->segs_out = record->segs_out;
	conn->segs_in = record->segs_in;
	conn->retransmits = record->retransmits;
}

__noinline int tell_conn(u64 sock, u32 event, u64 now)
{
	struct conn *conn = bpf_map_lookup_elem(&conns, &sock);
	struct sock *sk = (struct sock *)sock;
	struct wire_conn *record;

	if (!conn)
		return 0;
	record = conn_record(event, conn->tgid, now);
	if (!record)
		return 0;
	conn->told = 1;
	record->id = conn->id;
	record->task = conn->owner;
	record->since_ns = conn->since_ns;
	record->family = sock_family(sk);
	record->type = sock_type(sk);
	record->protocol = sock_protocol(sk);
	record->role = conn->role;
	record->state = sock_state(sk);
	record->flags = conn->active ? CONN_IS_ACTIVE : 0;
	if (is_inet(record->family))
		fill_addresses(record, sk);
	else if (record->family == AF_UNIX_)
		fill_path(record, sk);
	/* what is charged is a matter of its own threads until it ends */
	if (event >= CONN_FAILED && has_segments(sk))
		fill_tcp(record, conn, sk);
	bpf_ringbuf_submit(record, ring_flags());
	return 0;
}

static __always_inline u64 socket_ino(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_ino);
}

static __always_inline struct sock *sock_of_file(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk);
}

static __always_inline void begin_account(struct conn *conn, struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	if (!has_segments(sk))
		return;
	conn->segs_in = BPF_CORE_READ(tcp, segs_in);
	conn->segs_out = BPF_CORE_READ(tcp, segs_out);
	conn->retransmits = BPF_CORE_READ(tcp, total_retrans);
}

/* What a new entry begins as: never written to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct conn);
} conn_fresh SEC(".maps");

/* A new entry, to be filled in in its place; NULL when the table is full. */
static __always_inline struct conn *conn_new(struct sock *sk, u64 id, u64 ino, u64 now)
{
	u64 key = (u64)sk;
	u32 zero = 0;
	struct conn *fresh = bpf_map_lookup_elem(&conn_fresh, &zero), *conn;

	if (!fresh)
		return NULL;
	if (bpf_map_update_elem(&conns, &key, fresh, BPF_ANY)) {
		count_loss(LOSS_CONNS_FULL);
		return NULL;
	}
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn)
		return NULL;
	conn->id = id | OBJECT_IS_SOCKET;
	conn->since_ns = now;
	begin_account(conn, sk);
	conn->ino = ino;
	return conn;
}

static __always_inline void activate(struct conn *conn)
{
	if (conn->active)
		return;
	conn->active = 1;
	gauge_add(GAUGE_CONNECTIONS, 1);
}

static __always_inline void deactivate(struct conn *conn)
{
	if (!conn->active)
		return;
	conn->active = 0;
	gauge_add(GAUGE_CONNECTIONS, -1);
}

static __always_inline void forget(struct sock *sk, struct conn *conn)
{
	u64 key = (u64)sk;

	deactivate(conn);
	bpf_map_delete_elem(&conns, &key);
}

/* Its end, told once. */
static __always_inline void conn_ends(struct sock *sk, struct conn *conn, u64 now)
{
	if (!conn->closed) {
		conn->closed = 1;
		tell_conn(as_number(sk), CONN_CLOSED, now); /* it says whether it was active */
	}
	deactivate(conn);
}

/* The current thread uses a socket for the first time, or as the first one. */
__noinline int meet_socket(u64 sock, u64 ino, u64 now)
{
	struct thread_state *thread = io_thread();
	struct sock *sk = (struct sock *)sock;
	struct conn *conn = bpf_map_lookup_elem(&conns, &sock);

	if (!thread)
		return 0;
	if (!conn || conn->ino != ino) {
		/* its end was not seen: the process that had it is gone */
		if (conn)
			forget(sk, conn);
		conn = conn_new(sk, object_id(thread), ino, now);
		if (!conn)
			return 0;
		conn->tgid = thread->tgid;
		conn->role = guess_role(sk);
		if (is_open_state(sk))
			activate(conn);
	}
	/* or seeded: now it is known whose it is */
	if (!conn->owner)
		conn->owner = innermost(thread)->task;
	tell_conn(sock, CONN_SEEN, now);
	return 0;
}

/* The entry of a socket that the current thread uses. */
static __always_inline struct conn *conn_of(struct sock *sk, u64 ino, u64 now)
{
	u64 key = (u64)sk;
	struct conn *conn = bpf_map_lookup_elem(&conns, &key);

	if (conn && conn->ino == ino && conn->owner && conn->told)
		return conn;
	meet_socket(as_number(sk), ino, now);
	return bpf_map_lookup_elem(&conns, &key);
}

/* The object of a datagram's other end, where the socket itself is not connected to it. The peer was
 * left in the thread's state. */
__noinline u64 peer_object(u64 sock, u64 now)
{
	struct thread_state *thread = io_thread();
	struct sock *sk = (struct sock *)sock;
	struct peer_key key = {.sock = sock};
	struct wire_conn *record;
	u64 *known, id;

	if (!thread)
		return OBJECT_IS_SOCKET;
	key.peer = thread->peer;
	known = bpf_map_lookup_elem(&peers, &key);
	if (known)
		return *known;
	record = conn_record(CONN_SEEN, thread->tgid, now);
	if (!record)
		return OBJECT_IS_SOCKET; /* it is told at its next use */
	id = object_id(thread) | OBJECT_IS_SOCKET;
	record->id = id;
	record->task = innermost(thread)->task;
	record->since_ns = now;
	record->family = key.peer.family;
	record->type = sock_type(sk);
	record->protocol = sock_protocol(sk);
	record->role = ROLE_DATAGRAM;
	fill_addresses(record, sk);
	record->peer_port = key.peer.port;
	__builtin_memcpy(record->peer, key.peer.addr, sizeof(record->peer));
	bpf_ringbuf_submit(record, ring_flags());
	bpf_map_update_elem(&peers, &key, &id, BPF_ANY);
	return id;
}

/* Requests and answers: the turns of a conversation. The bytes of `done` went now. */
static __always_inline void take_turn(struct conn *conn, struct io_done *done, u64 task)
{
	bool sends = done->op == IO_WRITE;
	u32 phase = sends ? PHASE_SENT : PHASE_RECEIVED;
	/* sending began before it ended */
	u64 at = sends ? done->now - done->ns : done->now;

	if (done->ret <= 0 || !done->bytes)
		return;
	if (conn->phase != phase) {
		u64 ns = at > conn->phase_ns ? at - conn->phase_ns : 1;

		if (sends && conn->role == ROLE_SERVER && conn->phase == PHASE_RECEIVED)
			use_add(task, conn->id, USE(IO_REQUEST, USE_DONE), ns, conn->phase_bytes);
		if (!sends && conn->role == ROLE_CLIENT && conn->phase == PHASE_SENT)
			use_add(task, conn->id, USE(IO_RESPONSE, USE_DONE), ns, done->bytes);
		conn->phase = phase;
		conn->phase_ns = at;
		conn->phase_bytes = 0;
	}
	conn->phase_bytes += done->bytes;
}

/* How long the data lay in the socket until it was received. */
static __always_inline void take_arrival(struct conn *conn, struct sock *sk, struct io_done *done,
					 u64 task)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	u64 arrival = conn->arrival_ns;

	if (!arrival || done->op != IO_READ || done->ret <= 0 || !done->bytes)
		return;
	/* some of it lies there still */
	if (has_segments(sk) && BPF_CORE_READ(tcp, rcv_nxt) != BPF_CORE_READ(tcp, copied_seq))
		conn->arrival_ns = done->now;
	else
		conn->arrival_ns = 0;
	use_add(task, conn->id, USE(IO_QUEUED, USE_DONE),
		done->now > arrival ? done->now - arrival : 1, done->bytes);
}

/* TCP's segments since the last look are charged to whoever uses the connection. */
static __always_inline void charge_segments(struct frame *frame, struct conn *conn, struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	u32 out = BPF_CORE_READ(tcp, segs_out), in = BPF_CORE_READ(tcp, segs_in);
	u32 again = BPF_CORE_READ(tcp, total_retrans);

	frame->c[COUNTER_NET_PACKETS_SENT] += (u32)(out - conn->segs_out);
	frame->c[COUNTER_NET_PACKETS_RECEIVED] += (u32)(in - conn->segs_in);
	frame->c[COUNTER_NET_RETRANSMITS] += (u32)(again - conn->retransmits);
	conn->segs_out = out;
	conn->segs_in = in;
	conn->retransmits = again;
}

static __always_inline void count_socket(struct frame *frame, struct io_done *done, bool datagram)
{
	if (is_again(done->ret))
		return;
	frame->c[COUNTER_NET_TIME] += done->ns;
	if (done->ret < 0) {
		frame->c[COUNTER_NET_ERRORS]++;
	} else if (done->op == IO_READ) {
		frame->c[COUNTER_NET_RECEIVES]++;
		frame->c[COUNTER_NET_RECEIVED_BYTES] += done->bytes;
		frame->c[COUNTER_NET_PACKETS_RECEIVED] += datagram;
	} else if (done->op == IO_WRITE) {
		frame->c[COUNTER_NET_SENDS]++;
		frame->c[COUNTER_NET_SENT_BYTES] += done->bytes;
		frame->c[COUNTER_NET_PACKETS_SENT] += datagram;
	}
}

static __always_inline long read_name(void *to, u32 sz, u64 from, bool from_user)
{
	return from_user ? bpf_probe_read_user(to, sz, (void *)from)
			 : bpf_probe_read_kernel(to, sz, (void *)from);
}

__hidden int read_peer(struct io_peer *peer, u64 name, bool from_user)
{
	u16 port = 0;

	if (!name || read_name(&peer->family, sizeof(peer->family), name, from_user))
		return 0;
	if (peer->family == AF_INET_) {
		read_name(peer->addr, 4, name + 4, from_user);
	} else if (peer->family == AF_INET6_) {
		read_name(peer->addr, 16, name + 8, from_user);
	} else {
		peer->family = 0;
		return 0;
	}
	read_name(&port, sizeof(port), name + 2, from_user);
	peer->port = __builtin_bswap16(port);
	return 0;
}

__hidden int socket_finish(struct thread_state *thread, struct io_done *done)
{
	u32 use = USE(done->op, outcome_of(done->ret));
	struct frame *frame = innermost(thread);
	struct conn *conn = NULL;
	struct sock *sk = done->file ? sock_of_file(done->file) : NULL;
	u64 object;

	count_socket(frame, done, sk && sock_type(sk) != SOCK_STREAM_ && !done->peek);
	if (sk)
		conn = conn_of(sk, socket_ino(done->file), done->now);
	if (!conn) {
		if (!sk)
			count_loss(LOSS_FILE_UNKNOWN);
		use_add(frame->task, OBJECT_IS_SOCKET, use, done->ns, done->bytes);
		return 0;
	}
	object = conn->id;
	if (done->peer.family && is_datagram(sk)) {
		thread->peer = done->peer;
		object = peer_object(as_number(sk), done->now);
	}
	use_add(frame->task, object, use, done->ns, done->bytes);
	take_arrival(conn, sk, done, frame->task);
	if (is_datagram(sk))
		return 0;
	if (has_segments(sk))
		charge_segments(frame, conn, sk);
	take_turn(conn, done, frame->task);
	return 0;
}

__hidden void socket_connect_begins(struct thread_state *thread, struct file *file, u64 now)
{
	struct sock *sk = sock_of_file(file);
	u64 ino = socket_ino(file), key = (u64)sk;
	struct conn *conn;

	if (!sk)
		return;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (conn && conn->ino == ino) {
		if (conn->active)
			return; /* it will fail: it is connected */
		/* asks how far it has come, or for the error: it is not another attempt */
		if (conn->failed || (conn->connect_ns && sock_state(sk) == TCP_SYN_SENT)) {
			conn->in_connect = 1;
			return;
		}
	}
	if (conn)
		forget(sk, conn);
	/* another end is another object, even on the same socket */
	conn = conn_new(sk, object_id(thread), ino, now);
	if (!conn)
		return;
	conn->owner = innermost(thread)->task;
	conn->connect_ns = now;
	conn->tgid = thread->tgid;
	conn->role = is_datagram(sk) ? ROLE_DATAGRAM : ROLE_CLIENT;
	conn->in_connect = 1;
}

/* The connection is there, or has failed. */
static __always_inline void connected(struct conn *conn, struct sock *sk, bool ok, u64 now)
{
	u64 since = conn->connect_ns;

	conn->connect_ns = 0;
	if (ok) {
		activate(conn);
	} else {
		conn->failed = 1;
		conn->closed = 1; /* what is told of it now is its end, too */
	}
	/* one that was on its way when recording began: its time is not known */
	use_add(conn->owner, conn->id, USE(IO_CONNECT, ok ? USE_DONE : USE_FAILED),
		since && now > since ? now - since : 0, 0);
	tell_conn(as_number(sk), ok ? CONN_OPENED : CONN_FAILED, now);
}

/* A connection that could not be made is told as a record, whenever that becomes known, and counted
 * by it; any other refusal is an error of the call. */
__hidden void socket_connect_ends(struct thread_state *thread, struct file *file, s64 ret, u64 now)
{
	struct sock *sk = sock_of_file(file);
	u64 key = (u64)sk;
	struct conn *conn = sk ? bpf_map_lookup_elem(&conns, &key) : NULL;
	bool failed = ret < 0 && !is_again(ret);

	if (!conn || !conn->in_connect) {
		innermost(thread)->c[COUNTER_NET_ERRORS] += failed;
		return;
	}
	conn->in_connect = 0;
	if (is_datagram(sk)) {
		conn->connect_ns = 0;
		tell_conn(as_number(sk), CONN_SEEN, now);
		innermost(thread)->c[COUNTER_NET_ERRORS] += failed;
	} else if (conn->connect_ns && (failed || (ret >= 0 && !is_tcp(sk)))) {
		connected(conn, sk, !failed, now); /* else its state has told already */
	}
	if (failed)
		conn->failed = 0; /* now the program knows */
}

/* How long accept() took tells nothing; how long the connection waited for it does. */
__hidden void socket_accepted(struct thread_state *thread, struct file *file, u64 now)
{
	struct sock *sk = sock_of_file(file);
	u64 key = (u64)sk, *arrival, ino, ns = 0;
	struct conn *conn;

	if (!sk)
		return;
	ino = socket_ino(file);
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn || conn->ino != ino) { /* else a walk over descriptors was faster */
		if (conn)
			forget(sk, conn);
		conn = conn_new(sk, object_id(thread), ino, now);
		if (!conn)
			return;
	}
	conn->owner = innermost(thread)->task;
	conn->tgid = thread->tgid;
	conn->role = ROLE_SERVER;
	if (is_open_state(sk))
		activate(conn);
	arrival = bpf_map_lookup_elem(&arrivals, &key);
	if (arrival) {
		ns = now > *arrival ? now - *arrival : 1;
		bpf_map_delete_elem(&arrivals, &key);
	}
	use_add(conn->owner, conn->id, USE(IO_ACCEPT, USE_DONE), ns, 0);
	tell_conn(as_number(sk), CONN_OPENED, now);
	if (!conn->active)
		conn_ends(sk, conn, now); /* the other end was faster */
}

__hidden void socket_listens(struct file *file)
{
	struct sock *sk = sock_of_file(file);
	u32 port, one = 1;

	if (!sk || !is_inet(sock_family(sk)))
		return;
	port = BPF_CORE_READ(sk, __sk_common.skc_num);
	bpf_map_update_elem(&listen_ports, &port, &one, BPF_ANY);
}

/* The last descriptor of a socket is closed. TCP says itself when a connection ends. */
__hidden void socket_closes(struct file *file, u64 now)
{
	struct sock *sk = sock_of_file(file);
	u64 key = (u64)sk;
	struct conn *conn;

	if (!sk || file_refs(file) > 1)
		return;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn || (is_tcp(sk) && sock_state(sk) != TCP_CLOSE))
		return;
	conn_ends(sk, conn, now);
	forget(sk, conn);
}

/* raw_tp: what is not typed may be passed on as a number. */
SEC("?raw_tp/inet_sock_set_state")
int inet_sock_set_state(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int from = ctx[1], to = ctx[2];
	u64 key = (u64)sk, now, ino;
	struct socket *socket;
	struct conn *conn;

	if (armed != ARMED_ALL || (to != TCP_ESTABLISHED && to != TCP_CLOSE))
		return 0;
	now = bpf_ktime_get_ns();
	if (from == TCP_SYN_RECV && to == TCP_ESTABLISHED) {
		if (is_listened(BPF_CORE_READ(sk, __sk_common.skc_num)))
			bpf_map_update_elem(&arrivals, &key, &now, BPF_ANY);
		return 0;
	}
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn)
		return 0;
	socket = BPF_CORE_READ(sk, sk_socket);
	ino = socket ? BPF_CORE_READ(socket, file, f_inode, i_ino) : 0;
	if (ino && ino != conn->ino) {
		forget(sk, conn); /* the same memory, another socket */
		return 0;
	}
	if (from == TCP_SYN_SENT && to == TCP_ESTABLISHED) {
		connected(conn, sk, true, now);
	} else if (to == TCP_CLOSE && socket && BPF_CORE_READ(socket, sk)) {
		/* its program has it still, and may read what is left in it */
		if (from == TCP_SYN_SENT)
			connected(conn, sk, false, now);
		else
			conn_ends(sk, conn, now);
	} else if (to == TCP_CLOSE) {
		conn_ends(sk, conn, now);
		forget(sk, conn);
	}
	return 0;
}

/* Data came in, and its program may read it. */
__hidden void socket_data_ready(struct sock *sk)
{
	u64 key = (u64)sk;
	struct conn *conn;

	if (armed != ARMED_ALL)
		return;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (conn && !conn->arrival_ns)
		conn->arrival_ns = bpf_ktime_get_ns();
}

SEC("?raw_tp/sk_data_ready")
int sk_data_ready(u64 *ctx)
{
	socket_data_ready((struct sock *)ctx[0]);
	return 0;
}

volatile __u32 socket_walk; /* enum wire_socket_walk */
static u64 seeded_cnt;

static __always_inline void seed_socket(struct task_struct *task, struct file *file,
					struct sock *sk)
{
	u64 key = (u64)sk, ino = socket_ino(file), now = bpf_ktime_get_ns();
	struct conn *conn = bpf_map_lookup_elem(&conns, &key);

	if (conn && conn->ino == ino)
		return; /* a second descriptor, or its program was faster */
	/* no thread's sequence: threads have their own on this moment */
	conn = conn_new(sk, 1ULL << 62 | ++seeded_cnt, ino, now);
	if (!conn)
		return;
	conn->tgid = task->tgid;
	conn->role = guess_role(sk);
	if (is_open_state(sk))
		activate(conn);
	tell_conn(as_number(sk), CONN_SEEN, now);
}

SEC("?iter/task_file")
int walk_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct conn *conn;
	struct sock *sk;
	u64 key;

	if (!task || !file || !is_target(task->tgid) || file_type(file) != S_IFSOCK)
		return 0;
	sk = sock_of_file(file);
	key = (u64)sk;
	if (!sk)
		return 0;
	switch (socket_walk) {
	case WALK_LISTENERS:
		if (sock_state(sk) == TCP_LISTEN)
			socket_listens(file);
		break;
	case WALK_CONNECTIONS:
		seed_socket(task, file, sk);
		break;
	case WALK_LAST:
		conn = bpf_map_lookup_elem(&conns, &key);
		if (conn && conn->ino == socket_ino(file)) {
			tell_conn(as_number(sk), CONN_LAST, stop_ns);
			bpf_map_delete_elem(&conns, &key); /* further descriptors: told already */
		}
		break;
	}
	return 0;
}
