// child plays what runs under a daemon, and what the daemon is compared with. It is
// in C and linked statically, since its own start is in most figures: it costs the
// kernel's exec and next to nothing more.
//
//   child sleep FIFO                    reports, then sleeps
//   child write FIFO RATE SIZE COUNT    reports, waits for SIGUSR1, reports, writes COUNT
//                                       times SIZE bytes, reports, sleeps; 0 is for ever.
//                                       RATE is megabytes a second, 0 as fast as can be
//   child talk FIFO SIZE COUNT          the same with communication events of SIZE bytes
//   child listen FIFO UNIT COUNT        is an event listener, reports when it has had COUNT
//                                       events or bytes of what children wrote
//   child feed FIFO SIZE COUNT          runs a listener and feeds it with COUNT events, over
//                                       two pipes and nothing else
//   child look FIFO PORT COUNT          connects to a port of this machine COUNT times a second,
//                                       a fiftieth of them at a time, and does nothing else
//   child supervise COUNT ROLE...       runs COUNT children, starts again what ends, and on
//                                       SIGTERM ends with all of them: a supervisor that
//                                       does nothing but vfork, exec and wait
//
// A report is the pid and the monotonic clock in nanoseconds, 8 bytes each.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char begin_tag[] = "<!--XSUPERVISOR:BEGIN-->", end_tag[] = "<!--XSUPERVISOR:END-->";
static char *self;
static int fifo;

static void fail(const char *what) {
	perror(what);
	_exit(111);
}

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

static void report(void) {
	int64_t r[2] = {getpid(), now()};
	if (write(fifo, r, sizeof r) != sizeof r)
		fail("report");
}

static void open_fifo(const char *path) {
	if ((fifo = open(path, O_WRONLY)) < 0)
		fail(path);
}

static void rest(void) {
	for (;;)
		pause();
}

static void put(int fd, const char *p, size_t n) {
	while (n > 0) {
		ssize_t done = write(fd, p, n);
		if (done < 0)
			_exit(0); // whoever reads has gone
		p += done;
		n -= done;
	}
}

// pour writes the block whenever it is its time, count times or for ever.
static void pour(const char *block, size_t size, int64_t rate, int64_t count) {
	sigset_t go;
	int sig;
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);
	report();
	sigwait(&go, &sig);
	report();
	int64_t start = now(), written = 0;
	for (int64_t i = 0; count == 0 || i < count; i++) {
		put(1, block, size);
		written += size;
		int64_t early = rate == 0 ? 0 : start + written * 1000 / rate - now();
		if (early > 5000000) { // so seldom enough
			struct timespec t = {early / 1000000000, early % 1000000000};
			nanosleep(&t, NULL);
		}
	}
	report();
	rest();
}

static char *filled(size_t n) {
	char *block = malloc(n + 1);
	if (block == NULL)
		fail("malloc");
	memset(block, 'x', n);
	block[n] = 0;
	return block;
}

static void writer(int64_t rate, size_t size, int64_t count) {
	char *block = filled(size);
	for (size_t i = 99; i < size; i += 100)
		block[i] = '\n';
	block[size - 1] = '\n';
	pour(block, size, rate, count);
}

static void talker(size_t size, int64_t count) {
	char *block = malloc(size + sizeof begin_tag + sizeof end_tag);
	if (block == NULL)
		fail("malloc");
	sprintf(block, "%s%s%s", begin_tag, filled(size), end_tag);
	pour(block, strlen(block), 0, count);
}

static void listener(int bytes, int64_t count) {
	static char buf[4 << 20];
	put(1, "READY\n", 6);
	for (int64_t had = 0, before;;) {
		size_t have = 0, want = 0;
		char *payload = NULL;
		do {
			ssize_t n = read(0, buf + have, sizeof buf - 1 - have);
			if (n <= 0)
				exit(0);
			have += n;
			buf[have] = 0;
			char *eol = want == 0 ? strchr(buf, '\n') : NULL;
			if (eol != NULL) {
				payload = eol + 1;
				want = payload - buf + atol(strstr(buf, " len:") + 5);
			}
		} while (want == 0 || have < want);
		before = had;
		had += bytes ? buf + want - (strchr(payload, '\n') + 1) : 1;
		if (before < count && had >= count)
			report();
		put(1, "RESULT 2\nOKREADY\n", 17);
	}
}

static pid_t spawn(char **argv) {
	pid_t pid = vfork();
	if (pid == 0) {
		execv(self, argv);
		_exit(127);
	}
	if (pid < 0)
		fail("vfork");
	return pid;
}

static void expect(int fd, const char *text) {
	char buf[64];
	size_t have = 0, want = strlen(text);
	while (have < want) {
		ssize_t n = read(fd, buf + have, want - have);
		if (n <= 0)
			fail("the listener has gone");
		have += n;
	}
	if (memcmp(buf, text, want) != 0)
		fail("not what a listener says");
}

static void feeder(char *path, size_t size, char *count) {
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		fail("pipe");
	if (fork() == 0) {
		char *argv[] = {self, "listen", path, "events", count, NULL};
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv(self, argv);
		fail(self);
	}
	char *data = filled(size), *event = malloc(size + 512);
	expect(out[0], "READY\n");
	report();
	for (int64_t i = 0, n = atoll(count); i < n; i++) {
		char payload[64];
		int head = sprintf(payload, "processname:p groupname:p pid:%d\n", (int)getpid());
		int len = sprintf(event, "ver:3.0 server:supervisor serial:%ld pool:l poolserial:%ld "
				"eventname:PROCESS_COMMUNICATION_STDOUT len:%zu\n%s%s", (long)i, (long)i, head + size, payload, data);
		put(in[1], event, len);
		expect(out[0], "RESULT 2\nOKREADY\n");
	}
	rest();
}

static void looker(int port, int count) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger reset = {1, 0};
	report();
	for (int64_t at = now();;) {
		for (int i = 0; i < count / 50; i++) {
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
			if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
				fail("connect");
			close(fd);
		}
		at += 1000000000 / 50;
		struct timespec t = {at / 1000000000, at % 1000000000};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	}
}

static pid_t *pids;
static int supervised;
static volatile sig_atomic_t ending;

static void end(int sig) {
	(void)sig;
	ending = 1;
	for (int i = 0; i < supervised; i++)
		kill(pids[i], SIGTERM);
}

static void supervisor(int count, char **argv) {
	pids = calloc(count, sizeof *pids);
	for (int i = 0; i < count; i++)
		pids[i] = spawn(argv);
	supervised = count;
	signal(SIGTERM, end);
	for (;;) {
		pid_t ended = waitpid(-1, NULL, 0);
		if (ended < 0 && errno == ECHILD)
			exit(0);
		for (int i = 0; i < count && !ending; i++)
			if (pids[i] == ended) {
				pids[i] = spawn(argv);
				break;
			}
	}
}

int main(int argc, char **argv) {
	self = argv[0];
	const char *role = argc < 3 ? "" : argv[1];
	if (strcmp(role, "supervise") == 0) {
		int count = atoi(argv[2]);
		argv[2] = self; // and after it the role of its children
		supervisor(count, argv + 2);
	}
	if (argc >= 3)
		open_fifo(argv[2]);
	if (strcmp(role, "sleep") == 0 && argc == 3) {
		report();
		rest();
	} else if (strcmp(role, "write") == 0 && argc == 6)
		writer(atoll(argv[3]), atoll(argv[4]), atoll(argv[5]));
	else if (strcmp(role, "talk") == 0 && argc == 5)
		talker(atoll(argv[3]), atoll(argv[4]));
	else if (strcmp(role, "listen") == 0 && argc == 5)
		listener(strcmp(argv[3], "bytes") == 0, atoll(argv[4]));
	else if (strcmp(role, "feed") == 0 && argc == 5)
		feeder(argv[2], atoll(argv[3]), argv[4]);
	else if (strcmp(role, "look") == 0 && argc == 5)
		looker(atoi(argv[3]), atoi(argv[4]));
	fprintf(stderr, "child: not a role\n");
	return 2;
}
