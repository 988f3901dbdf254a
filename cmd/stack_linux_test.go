package cmd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"supervisord/cmd/internal/oracle"
)

// stack are files as others write them: a database, its migration, a cache, a web server
// that needs them and one in front of it. The keys of an order and of readiness are the only
// ones that Supervisor does not know.
var stack = map[string]string{
	"conf.d/10-nginx.conf": `
[program:nginx]
command=/usr/sbin/nginx -c {{.Dir}}/nginx.conf -p {{.Dir}} -g "daemon off;"
depends_on=web
priority=1
stopasgroup=true
`,
	"conf.d/20-web.conf": `
[program:web]
command=/usr/bin/python3 {{.Dir}}/web.py {{.Dir}}/run/redis.sock WEBPORT
depends_on=migrate:done cache
ready=http://127.0.0.1:WEBPORT/
health=http://127.0.0.1:WEBPORT/
health_interval=1s
startretries=20
`,
	"conf.d/30-migrate.conf": `
[program:migrate]
command=/usr/bin/psql -h {{.Dir}}/run -d postgres -c "create table if not exists users (name text)"
user=postgres
startsecs=0
depends_on=db
`,
	"conf.d/40-cache.conf": `
[program:cache]
command=/usr/bin/redis-server --port 0 --unixsocket {{.Dir}}/run/redis.sock --save "" --dir {{.Dir}}/run
ready=unix:{{.Dir}}/run/redis.sock
priority=998
`,
	"conf.d/50-db.conf": `
[program:db]
command=POSTGRES -D {{.Dir}}/db -k {{.Dir}}/run -c listen_addresses=
user=postgres
ready=exec:/usr/bin/pg_isready -h {{.Dir}}/run
startretries=20
stopsignal=INT
killasgroup=true
`,
	"nginx.conf": `
pid {{.Dir}}/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	server {
		listen 127.0.0.1:NGINXPORT;
		location / { proxy_pass http://127.0.0.1:WEBPORT; }
	}
}
`,
	"web.py": `
import http.server, socket, sys
cache = socket.socket(socket.AF_UNIX)
cache.connect(sys.argv[1])
cache.close()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"well")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
`,
}

// TestStack has a real stack come up in its order, live through the death of each part, and
// go down against the order; under Supervisor the same files still start. It takes Debian's
// packages postgresql, redis-server and nginx, root, and half a minute: STACK=1 asks for it.
func TestStack(t *testing.T) {
	if os.Getenv("STACK") != "1" {
		t.Skip("STACK=1 asks for it")
	}
	for _, kind := range []oracle.Kind{oracle.Ours, oracle.Debian} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			s := startStack(t, kind)
			s.until("web", "RUNNING")
			s.until("nginx", "RUNNING")
			s.until("migrate", "EXITED")
			s.answers()
			if kind != oracle.Ours {
				return
			}
			s.inOrder("spawned: 'db'", "success: db ", "spawned: 'migrate'", "exited: migrate (exit status 0; expected)",
				"spawned: 'web'", "success: web ", "spawned: 'nginx'")
			for _, victim := range []string{"db", "cache", "web", "nginx"} {
				before := s.pids()
				if err := syscall.Kill(before[victim], syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				s.wait(victim+" to be there again", func() bool { return s.State(victim) == "RUNNING" && s.pids()[victim] != before[victim] })
				for name, pid := range s.pids() {
					if name != victim && pid != before[name] {
						t.Errorf("the death of %s has cost %s its pid", victim, name)
					}
				}
				s.answers()
			}
			s.Ctl(oracle.Ours, "stop", "all")
			s.inOrder("stopped: nginx ", "stopped: web ", "stopped: db ")
			s.inOrder("stopped: web ", "stopped: cache ")
		})
	}
}

// stackRun is the stack under one daemon.
type stackRun struct {
	*oracle.Daemon
	t    *testing.T
	port string // of nginx
}

func startStack(t *testing.T, kind oracle.Kind) *stackRun {
	dir, err := os.MkdirTemp("", "stack") // others must get through, as they do not through t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	postgres, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(postgres.Uid)
	gid, _ := strconv.Atoi(postgres.Gid)
	for _, name := range []string{"", "db", "run"} {
		path := filepath.Join(dir, name)
		os.MkdirAll(path, 0o755)
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if name != "" {
			os.Chown(path, uid, gid)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Fatal("there is no PostgreSQL")
	}
	initdb := exec.Command(filepath.Join(filepath.Dir(found[0]), "initdb"), "-D", filepath.Join(dir, "db"), "-A", "trust", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	web, nginx := freePort(t), freePort(t)
	os.Mkdir(filepath.Join(dir, "conf.d"), 0o755)
	for name, text := range stack {
		text = strings.NewReplacer("{{.Dir}}", dir, "POSTGRES", found[0], "WEBPORT", web, "NGINXPORT", nginx).Replace(text)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &stackRun{oracle.StartDaemon(t, kind, dir, oracle.Prelude+"[include]\nfiles=conf.d/*.conf\n"), t, nginx}
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// pids are those of what stays up.
func (s *stackRun) pids() map[string]int {
	pids := make(map[string]int)
	for _, name := range []string{"db", "cache", "web", "nginx"} {
		pids[name], _ = strconv.Atoi(strings.TrimSpace(s.Ctl(oracle.Ours, "pid", name).Stdout))
	}
	return pids
}

func (s *stackRun) wait(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s:\n%v\n%s", what, s.Ctl(oracle.Ours, "status"), s.Log())
		}
	}
}

func (s *stackRun) until(name, state string) {
	s.t.Helper()
	s.wait(name+" to be "+state, func() bool { return s.State(name) == state })
}

// answers waits for an answer from the web server by way of the one in front.
func (s *stackRun) answers() {
	s.t.Helper()
	s.wait("an answer", func() bool {
		r, err := http.Get("http://127.0.0.1:" + s.port + "/")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode == 200 && string(body) == "well"
	})
}

// inOrder checks that the log has these texts one after another.
func (s *stackRun) inOrder(texts ...string) {
	s.t.Helper()
	var places []int
	for _, text := range texts {
		places = append(places, strings.Index(s.Log(), text))
	}
	if !slices.IsSorted(places) || slices.Contains(places, -1) {
		s.t.Errorf("not in this order %q at %v:\n%s", texts, places, s.Log())
	}
}
