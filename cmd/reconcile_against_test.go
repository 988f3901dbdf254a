package cmd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"supervisord/cmd/internal/oracle"
)

// TestAgainstIsSo: what --check --against says of a change without a daemon is what happens to
// the processes of one when the same change is made to its files: these end, those are started
// again, and no other loses its pid. What diff --tree says of it is the same.
func TestAgainstIsSo(t *testing.T) {
	t.Parallel()
	w := started(t, "conf.d/*.ini", "autoupdate=false\n", "", map[string]string{
		"conf.d/db.ini":   sleeper("db", 1000, "priority=10"),
		"conf.d/web.ini":  sleeper("web", 1000, "numprocs=3", "process_name=web_%(process_num)d", "depends_on=db"),
		"conf.d/pool.ini": sleeper("pool", 1000, "restart_with=db") + sleeper("tail", 1000, "restart_with=pool"),
		"conf.d/idle.ini": sleeper("idle", 1000, "autostart=false") + sleeper("cron", 1000),
	})
	const first = "cron, db, pool, tail, web_0, web_1, web_2"
	w.becomes(first)
	for _, r := range []struct {
		what, change, want string
		restarted, ended   []string
	}{
		{"a comment", "echo '; why' >> conf.d/db.ini", first, nil, nil},
		{"in place", "echo stopwaitsecs=5 >> conf.d/db.ini", first, nil, nil},
		{"a program with three processes", "sed -i 's/1000/1001/' conf.d/web.ini", "cron, db, pool, tail, web_0=1001, web_1=1001, web_2=1001", []string{"web_0", "web_1", "web_2"}, nil},
		{"one process fewer", "sed -i 's/numprocs=3/numprocs=2/' conf.d/web.ini", "cron, db, pool, tail, web_0=1001, web_1=1001", nil, []string{"web_2"}},
		{"the database, with which others restart", "sed -i 's/1000/1002/' conf.d/db.ini", "cron, db=1002, pool, tail, web_0=1001, web_1=1001", []string{"db", "pool", "tail"}, nil},
		{"a file that is gone", "rm conf.d/idle.ini", "db=1002, pool, tail, web_0=1001, web_1=1001", nil, []string{"cron"}},
		{"a program that moves and one that comes", "cat conf.d/web.ini >> conf.d/pool.ini; rm conf.d/web.ini; printf '[program:new]\\ncommand=/bin/sleep 1000\\n' > conf.d/new.ini",
			"db=1002, new, pool, tail, web_0=1001, web_1=1001", nil, nil},
	} {
		w.sh("rm -rf base head; mkdir base head; cp -r supervisord.conf conf.d base; cp -r supervisord.conf conf.d head; cd head; " + r.change)
		out := oracle.Exec(t, oracle.Ours, "supervisord", w.Dir, "--check", "-c", "head/supervisord.conf", "--against", "base/supervisord.conf", "--json")
		var said struct {
			Actions []any
			Reach   struct {
				Restarted, Ended []string
				Following        []struct{ Process string }
			}
		}
		if err := json.Unmarshal([]byte(out.Stdout), &said); err != nil {
			t.Fatalf("%s: %v: %v", r.what, err, out)
		}
		status := min(len(said.Actions), 1)
		if diff := w.Ctl(oracle.Ours, "diff", "--tree", "head", "-o", "json"); out.Exit != status || diff.Exit != status {
			t.Errorf("%s: %d actions, exit status %d, of diff --tree %d: %v", r.what, len(said.Actions), out.Exit, diff.Exit, diff)
		}
		short := func(list []string) (names []string) {
			for _, name := range list {
				names = append(names, name[strings.IndexByte(name, ':')+1:])
			}
			slices.Sort(names)
			return names
		}
		restarted := said.Reach.Restarted
		for _, f := range said.Reach.Following {
			restarted = append(restarted, f.Process)
		}
		for _, list := range []struct {
			word      string
			got, want []string
		}{{"restart", short(restarted), r.restarted}, {"end", short(said.Reach.Ended), r.ended}} {
			if !slices.Equal(list.got, list.want) {
				t.Errorf("%s: it says that %v %s, want %v", r.what, list.got, list.word, list.want)
			}
		}
		before, _ := w.running()
		w.sh(r.change)
		plan := w.Ctl(oracle.Ours, "diff", "--tree", "head").Stdout
		plan = strings.TrimSpace(plan[strings.LastIndex(plan, "plan ")+len("plan "):])
		if out := w.Ctl(oracle.Ours, "update", "--plan", plan); out.Exit != 0 {
			t.Errorf("%s: update --plan %s: %v", r.what, plan, out)
		}
		w.becomes(r.want)
		var after map[string]int
		if !oracle.Eventually(oracle.Deadline, func() bool { // restart_with acts once the other is RUNNING
			after, _ = w.running()
			return !slices.ContainsFunc(r.restarted, func(name string) bool { return after[name] == 0 || after[name] == before[name] })
		}) {
			t.Errorf("%s: not all of %v have new pids: %v, before %v", r.what, r.restarted, after, before)
		}
		for name, pid := range before {
			if listed := slices.Contains(r.restarted, name) || slices.Contains(r.ended, name); !listed && after[name] != pid {
				t.Errorf("%s: %s had pid %d and has %d", r.what, name, pid, after[name])
			}
		}
	}
	if out := w.Ctl(oracle.Ours, "update", "--plan", fmt.Sprintf("%016x", 1)); out.Exit != 4 {
		t.Errorf("a plan that nobody made: %v", out)
	}
}
