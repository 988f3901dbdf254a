package cmd

import (
	"os"
	"strings"
	"testing"
)

// TestRecipes follows README's chapter Recipes as it is written, in a mount namespace in
// which the paths it names are empty, and as PID 1 where it says so. Only the addresses
// are replaced: a local repository stands for the server, and for git-sync, the kubelet,
// Nomad and consul-template a script does what they do to the files.
func TestRecipes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(text), "\n## Recipes\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	// line is the first line of the chapter that has a text, without its margin.
	line := func(has string) string {
		t.Helper()
		for l := range strings.Lines(chapter) {
			if strings.HasPrefix(l, "    ") && strings.Contains(l, has) {
				return strings.TrimSpace(l)
			}
		}
		t.Fatalf("the chapter has no line with %q", has)
		return ""
	}

	bin := binaries(t)
	// after is what stands in a line behind a text, up to the next one.
	after := func(l, from, to string) string {
		_, l, _ = strings.Cut(l, from)
		l, _, _ = strings.Cut(l, to)
		return strings.TrimSpace(l)
	}
	words := strings.NewReplacer(`"`, "", ",", " ")
	job := strings.Join(strings.Fields(line("* * * * *"))[6:], " ") // without the time and the user
	link := after(line("git-sync --repo"), "--link=", " ")
	probe := words.Replace(after(line("readinessProbe"), "command: [", "]"))
	entry := words.Replace(after(line("ENTRYPOINT"), "[", "]"))
	clone := strings.Replace(line("git clone"), "https://git.example.org/programs.git", `"$DIR/origin"`, 1)

	template := strings.Replace(strings.TrimSuffix(after(line("data        ="), `= "`, "\n"), `"`), `/usr/bin/web --port {{ key \"web/port\" }}`, "/bin/sleep %d", 1)
	rendered := after(line(`destination = "local/`), `"`, `"`)
	args := words.Replace(after(line("args    ="), "[", "]"))
	destination := after(line(`destination = "/etc/`), `"`, `"`)
	command := after(line(`command     = "supervisorctl`), `"`, `"`)

	// What the recipes begin with: a repository with one program, a commit that
	// edits it and gives it a sibling, and a daemon's file.
	const begin = `
mkdir origin; cd origin; git init -q -b main .; git config user.email a@b; git config user.name n
printf '[program:web]\ncommand=/bin/sleep 1000\nstartsecs=0\nstartretries=0\n' >web.ini; git add .; git commit -qm one
commit() { sed -i "$1" web.ini; sed s/web/other/ web.ini >other.ini; git add .; git commit -qm "$1"; }
cat >/etc/supervisor/supervisord.conf <<EOF
[unix_http_server]
file=/run/supervisor.sock
[supervisord]
pidfile=/run/supervisord.pid
logfile=/run/supervisord.log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///run/supervisor.sock
EOF
include() { printf '[include]\n%s\n' "$1" >>/etc/supervisor/supervisord.conf; supervisord; }
kept() { [ "$(supervisorctl pid web)" = "$before" ] && echo web has kept its pid; }
`
	rows := []struct {
		name, needs, script string
		want                []string // in the output, in this order
	}{
		{"a pull in a timer", "git", begin + clone + `
include "` + line("files = /srv/programs/") + `"
job='` + job + `'
sh -c "$job"; before=$(supervisorctl pid web)
commit s/1000/1000/; sh -c "$job"; supervisorctl status; kept
commit s/sleep/nope/; sh -c "$job" || echo the job failed: $?
`, []string{"other  ", "RUNNING", "web  ", "RUNNING", "web has kept its pid", "FATAL", "the job failed: 1"}},
		{"git-sync", "git", begin + `
sync() { git worktree add -q --detach /srv/git/.worktrees/$1 main; ln -s .worktrees/$1 /srv/git/tmp; mv -T /srv/git/tmp /srv/git/` + link + `; }
mkdir -p /srv/git/.worktrees; sync 1
include "` + line("files = /srv/git/programs/") + `"
supervisorctl wait -t 100; before=$(supervisorctl pid web)
commit s/1000/1000/; sync 2; rm -r /srv/git/.worktrees/1
until supervisorctl status other >/dev/null; do sleep 0.1; done; supervisorctl wait -t 100; supervisorctl status other; kept
`, []string{"other  ", "RUNNING", "web has kept its pid"}},
		{"a ConfigMap in Kubernetes", "", `
mkdir -p /srv/programs/..1; cd /srv/programs; ln -s ..1 ..data; ln -s ..data/web.ini web.ini
printf '[program:web]\ncommand=/bin/sleep 1000\nstartsecs=0\n' >..1/web.ini
( trap 'kill -TERM 1' EXIT
until ` + probe + ` >/dev/null 2>&1; do sleep 0.1; done
echo PID 1 is $(cat /proc/1/comm); before=$(supervisorctl pid web)
mkdir ..2; cp ..1/web.ini ..2; sed s/web/other/ ..1/web.ini >..2/other.ini; ln -s ..2 ..data_tmp; mv -T ..data_tmp ..data; ln -s ..data/other.ini other.ini; rm -r ..1
until supervisorctl status other >/dev/null; do sleep 0.1; done
until ` + probe + ` >/dev/null; do sleep 0.1; done
supervisorctl status other
[ "$(supervisorctl pid web)" = "$before" ] && echo web has kept its pid ) &
exec ` + entry + `
`, []string{"PID 1 is supervisord", "other  ", "RUNNING", "web has kept its pid", "stopped: other", "stopped: web"}},
		{"Nomad", "", `
mkdir -p /srv/task/local/programs; export NOMAD_TASK_DIR=/srv/task/local
render() { printf '` + template + `' $1 >/srv/task/tmp; mv /srv/task/tmp '/srv/task/` + rendered + `'; }
ctl() { supervisorctl -s unix://$NOMAD_TASK_DIR/supervisor.sock "$@"; }
render 1000; supervisord ` + args + ` >/srv/out & daemon=$!
ctl wait -t 100 web; ctl status; before=$(ctl pid)
render 2000; until ctl history | grep 'restart web'; do sleep 0.1; done; ctl wait -t 100 web
[ "$(ctl pid)" = "$before" ] && echo the task has kept its pid
kill -INT $daemon; wait $daemon; cat /srv/out # as Nomad ends a task
`, []string{"web  ", "RUNNING", "restart web", "the task has kept its pid", "stopped: web"}},
		{"consul-template", "", begin + `
mkdir /etc/supervisor/conf.d; include "files = conf.d/*.ini"
render() { printf '[program:web]\ncommand=/bin/sleep %d\nstartsecs=0\n' $1 >/etc/supervisor/conf.d/1839475521; mv /etc/supervisor/conf.d/1839475521 ` + destination + `; }
render 1000; ` + command + `; supervisorctl status; before=$(supervisorctl pid web)
render 1000; ` + command + `; kept
render 2000; until supervisorctl history | grep 'restart web'; do sleep 0.1; done; ` + command + `; supervisorctl status
`, []string{"web  ", "RUNNING", "web has kept its pid", "restart web", "web  ", "RUNNING"}},
		{"Ansible", "ansible-playbook", begin + `
mkdir /etc/supervisor/conf.d; include "files = conf.d/*.ini"
{ printf -- '- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n'; cat <<EOF
  ` + line("- copy:") + `
  ` + line("name: web, state: present") + `
  ` + line("- command: supervisorctl wait") + `
EOF
} >play.yml
ansible-playbook -i localhost, play.yml; supervisorctl status
`, []string{"ok=3", "failed=0", "web  ", "RUNNING"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if r.needs != "" && !installed(t, r.needs) {
				return
			}
			session(t, bin, "/srv /etc/supervisor /run /var/lib", "set -e\n"+r.script, r.want)
		})
	}
}
