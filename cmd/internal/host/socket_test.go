package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultSockets(t *testing.T) {
	for _, row := range []struct {
		name, runtimeDir, temp string
		uid                    int
		want                   string
	}{
		{"root", "/run/user/0", "/tmp", 0, "/run/supervisor /tmp/supervisor-0 /dev/shm/supervisor-0"},
		{"a user", "/run/user/7", "/tmp", 7, "/run/user/7/supervisor /tmp/supervisor-7 /dev/shm/supervisor-7"},
		{"a user of a container", "", "/tmp", 1000870000, "/tmp/supervisor-1000870000 /dev/shm/supervisor-1000870000"},
		{"one temporary directory", "", "/dev/shm/", 7, "/dev/shm/supervisor-7"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var dirs []string
			for _, socket := range defaultSockets(row.uid, row.runtimeDir, row.temp) {
				dirs = append(dirs, strings.TrimSuffix(socket, "/supervisor.sock"))
			}
			if diff := cmp.Diff(row.want, strings.Join(dirs, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
