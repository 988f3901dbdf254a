package value

import (
	"strings"
	"testing"
)

func TestShellSyntax(t *testing.T) {
	for command, want := range map[string]string{
		"/usr/bin/web --port 80":                 "",
		"cd /srv && ./web":                       "&&",
		"cd /srv&&./web":                         "&&",
		"cat a | grep b":                         "|",
		"web > /var/log/web 2>&1":                "> 2>&1",
		"web >/var/log/web":                      ">",
		"web >>/x 2>/dev/null":                   ">> 2>",
		"web &> /x":                              "&>",
		"mail </etc/motd":                        "<",
		"web &":                                  "&",
		"web&":                                   "&",
		"a; b":                                   ";",
		"a || b":                                 "||",
		"python $HOME/web.py":                    "$HOME",
		`python "${HOME}/web.py"`:                "${HOME}",
		"echo $(date)":                           "$(date)",
		"echo `date`":                            "`date`",
		`sh -c "cd /srv && exec ./web > log"`:    "",
		`/bin/bash -c 'a | b; c & echo "$HOME"'`: "",
		"/bin/bash -c cd /srv && ./web":          "&&",
		`bash -c "$START"`:                       "",
		`su - web -c "cd $HOME && ./web"`:        "",
		"curl http://x/?a=1&b=2":                 "",
		`find /x -exec rm {} \;`:                 "",
		"web --greeting '>' --or \"|\"":          "",
		"awk '{print $1}'":                       "",
		"pip install web >=1.0":                  "",
		"web --name <name>":                      "",
		"web <path to it>/bin/web":               "",
		"web -> x":                               "",
		"mysqld --price=$5":                      "",
		`web "a b $HOME"`:                        "",
		"web 'not closed":                        "",
		"web --cond a&b x":                       "",
		"/opt/web/run.sh --log 2>":               "2>",
		"gunicorn web:app -b 0.0.0.0:$PORT -w $PORT $X_1": "$PORT $X_1",
	} {
		if got := strings.Join(ShellSyntax(command), " "); got != want {
			t.Errorf("%s\ngives %q, want %q", command, got, want)
		}
	}
}
