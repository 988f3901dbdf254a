package spec

import (
	"path"
	"slices"
	"strings"

	"supervisord/spec/value"
)

// adviseShell says what of a command only a shell would understand. words are the
// command's.
func (r *reader) adviseShell(command string, words []string) {
	found := value.ShellSyntax(command)
	if len(found) == 0 {
		return
	}
	hint := "/bin/sh -c '…' runs a command as a shell does"
	switch {
	case slices.Equal(found, []string{"&"}):
		hint = "leave & out: the program must stay in the foreground"
	case slices.ContainsFunc(found, func(s string) bool { return !strings.HasPrefix(s, "$") }):
	default:
		hint = variableHint + "; or let /bin/sh -c '…' run it"
	}
	for i := range found {
		found[i] = value.PyRepr(found[i])
	}
	r.advise("command", "no shell runs the command, so that "+path.Base(words[0])+" gets "+value.Listed(found)+" as plain text", hint)
}

// detaching is a program that goes to the background by itself: supervisord then sees
// it end, and starts it again and again.
type detaching struct {
	programs []string // by their base names; nil for any
	// options send it there; nil for a program that goes there unless told otherwise.
	options []string
	// stay are options that keep it in the foreground; one that ends with = stands for
	// all that begin so.
	stay []string
	hint string
}

// detachers go by the manual of each program.
var detachers = []detaching{
	{[]string{"nginx", "openresty"}, nil, []string{"daemon off", "-t", "-T", "-v", "-V", "-h", "-s"}, "add -g 'daemon off;' unless its own configuration says so"},
	{[]string{"redis-server", "redis-sentinel", "valkey-server"}, []string{"--daemonize yes"}, nil, "--daemonize no"},
	{[]string{"sshd"}, nil, []string{"-D", "-d", "-ddd", "-t", "-T", "-i"}, "add -D"},
	{[]string{"apache2", "httpd"}, nil, []string{"-DFOREGROUND", "-D FOREGROUND", "-DNO_DETACH", "-X", "-t", "-v"}, "add -DFOREGROUND"},
	{[]string{"apache2ctl", "apachectl"}, []string{"start", "-k start", "restart", "graceful"}, []string{"-DFOREGROUND", "-D FOREGROUND", "-DNO_DETACH"}, "-D FOREGROUND in place of start"},
	{[]string{"cron"}, nil, []string{"-f"}, "add -f"},
	{[]string{"rsyslogd"}, nil, []string{"-n", "-v", "-N1"}, "add -n"},
	{[]string{"dnsmasq"}, nil, []string{"-k", "--keep-in-foreground", "-d", "--no-daemon", "--test"}, "add --keep-in-foreground"},
	{[]string{"mongod", "mongos"}, []string{"--fork"}, nil, "leave --fork out"},
	{[]string{"memcached"}, []string{"-d"}, nil, "leave -d out"},
	{[]string{"haproxy"}, []string{"-D"}, nil, "leave -D out, or use -db"},
	{[]string{"gunicorn", "gunicorn3", "gunicorn_django", "celery", "kafka-server-start.sh", "zookeeper-server-start.sh"}, []string{"-D", "--daemon", "--detach", "-daemon"}, nil, "leave it out"},
	{[]string{"uwsgi"}, []string{"-d", "--daemonize", "--daemonize=", "--daemonize2"}, nil, "leave it out, and use --logto for a log"},
	{[]string{"docker", "podman"}, []string{"run -d", "run --detach", "compose up -d", "up -d"}, nil, "leave -d out, so that it stays as long as the container runs"},
	{[]string{"docker-compose"}, []string{"up -d", "up --detach"}, nil, "leave -d out"},
	{[]string{"screen"}, []string{"-dm", "-dmS", "-d -m"}, []string{"-Dm", "-DmS", "-D -m"}, "run the program itself, or screen -D -m"},
	{[]string{"tmux"}, []string{"new -d", "new-session -d"}, nil, "run the program itself"},
	{[]string{"pg_ctl", "pg_ctlcluster"}, []string{"start"}, []string{"--foreground"}, "run postgres itself"},
	{[]string{"postfix"}, []string{"start"}, nil, "start-fg in place of start"},
	{[]string{"catalina.sh", "startup.sh"}, []string{"start"}, nil, "catalina.sh run"},
	{[]string{"zkServer.sh"}, []string{"start"}, nil, "start-foreground in place of start"},
	{[]string{"service", "systemctl", "rc-service", "invoke-rc.d"}, []string{"start", "restart"}, nil, "run the program itself, in the foreground"},
	{[]string{"pm2"}, []string{"start", "restart", "resurrect"}, []string{"--no-daemon"}, "pm2-runtime, or the program itself"},
	{[]string{"nohup", "setsid", "daemonize", "start-stop-daemon"}, []string{"-b", "--background", "--fork", "-f"}, nil, "run the program itself"},
	{nil, []string{"--daemonize", "--daemonize yes", "--daemonize=yes", "--daemonize=true"}, []string{"--daemonize no"}, "leave it out"},
}

// adviseBackground says where a program puts itself in the background, as far as its
// name and its options tell.
func (r *reader) adviseBackground(words []string) {
	if value.IsShell(words[0]) && len(words) == 3 && strings.HasPrefix(words[1], "-") && strings.HasSuffix(words[1], "c") && len(value.ShellSyntax(words[2])) == 0 {
		inner, err := value.Split(strings.TrimPrefix(words[2], "exec "))
		if err != nil || len(inner) == 0 {
			return
		}
		words = inner // the one command that the shell runs
	}
	program := path.Base(words[0])
	args := words[1:]
	if strings.HasPrefix(words[0], "/etc/init.d/") && slices.Contains(args, "start") {
		r.advise("command", "the script starts its program in the background and exits", "run the program itself, in the foreground")
		return
	}
	// The program that an interpreter or a wrapper runs: python -m gunicorn, env A=b x.
	for len(args) > 0 && (strings.HasPrefix(program, "python") || slices.Contains([]string{"env", "exec", "nice", "sudo", "gosu", "su-exec", "tini", "dumb-init"}, program)) {
		skip := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") && !strings.Contains(a, "=") })
		if skip < 0 {
			return
		}
		program, args = path.Base(args[skip]), args[skip+1:]
		if words[0] == "gosu" || words[0] == "su-exec" {
			break
		}
	}
	for _, d := range detachers {
		if d.programs != nil && !slices.Contains(d.programs, program) || hasOption(args, d.stay) != "" {
			continue
		}
		option := hasOption(args, d.options)
		switch {
		case option != "":
			if args[0] != option && !strings.HasPrefix(option, args[0]+" ") {
				option = "… " + option
			}
			r.advise("command", program+" "+option+" goes into the background, and supervisord sees it exit", d.hint)
		case d.options == nil:
			r.advise("command", program+" goes into the background by itself, and supervisord sees it exit", d.hint)
			r.advice[len(r.advice)-1].Guess = true
		default:
			continue
		}
		return
	}
}

// hasOption is the first of some options that stands among the words of a command; ""
// for none. One of several words stands for them in a row; one that ends with = for all
// that begin so.
func hasOption(args, options []string) string {
	for i := range args {
		for _, option := range options {
			switch {
			case strings.HasSuffix(option, "=") && strings.HasPrefix(args[i], option):
				return args[i]
			case args[i] == option:
				return option
			case !strings.Contains(option, " "):
			case strings.Contains(args[i], option): // in quotes
				return option
			default:
				if parts := strings.Split(option, " "); len(args) >= i+len(parts) && slices.Equal(args[i:i+len(parts)], parts) {
					return option
				}
			}
		}
	}
	return ""
}
