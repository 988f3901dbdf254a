package dialect

import "testing"

// BenchmarkParse reads a program as people write them.
func BenchmarkParse(b *testing.B) {
	text := []byte(`; worker 1
[program:worker00001]
command=/bin/sh -c "exec sleep 1"   ; what it does
process_name=%(program_name)s_%(process_num)02d
numprocs=1
directory=/tmp
environment=WORKER="1",HOME="/tmp",MODE="production"
autostart=true
autorestart=unexpected
startretries=3
stopasgroup=true
stopsignal=TERM
redirect_stderr=true
stdout_logfile=/tmp/%(program_name)s.log
stdout_logfile_maxbytes=10MB
user=nobody
`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Parse(text, noKeys)
	}
}
