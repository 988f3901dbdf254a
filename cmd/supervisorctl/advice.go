package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"supervisord/cmd/internal/host"
	"supervisord/rpc/client"
)

// advise says in plain words why a server cannot be reached and what to do,
// for a person at a terminal.
func (s *session) advise(err error) {
	var e *client.Error
	var url *client.URLError
	if errors.As(err, &url) {
		s.hintURL(url.URL)
	}
	if !errors.As(err, &e) {
		return
	}
	path, unix := strings.CutPrefix(s.settings.url, "unix://")
	var text string
	switch {
	case e.Kind == client.NoFile && unix:
		text = missingSocket(path) + " " + otherDaemon(s.settings.url)
	case e.Kind == client.Refused && unix:
		text = "The socket " + path + " exists, but nothing listens on it: its supervisord has died or was killed. " + otherDaemon(s.settings.url)
	case e.Kind == client.Refused:
		text = "Nothing listens at " + s.settings.url + ". " + otherDaemon(s.settings.url)
	case e.Kind == client.Permission && unix:
		text = permissionDenied(path)
	case e.Kind == client.Unauthorized && s.settings.username == "":
		text = "Give a name and a password with -u and -p, or in the [supervisorctl] section."
	case e.Kind == client.Unauthorized:
		text = "The server does not accept this name and password (-u and -p, or the [supervisorctl] section)."
	case e.Kind == client.Untrusted:
		text = s.settings.adviseUntrusted(err)
	case e.Kind == client.CertificateRefused:
		text = s.settings.adviseRefused()
	case e.Kind == client.WrongScheme:
		text = s.settings.adviseScheme()
	case e.Kind == client.NoHandshake:
		text = "The server does not seem to speak TLS. If it does not, its URL is http://" +
			strings.TrimPrefix(s.settings.url, "https://") + "."
	case e.Kind == client.Timeout:
		text = "There was no answer within --timeout; the request may still be carried out."
	default:
		return
	}
	s.hint("%s", text)
}

// missingSocket says what is missing of the path of a socket.
func missingSocket(path string) string {
	if dir := filepath.Dir(path); !exists(dir) {
		return "There is no directory " + dir + "."
	}
	return "There is no socket " + path + "."
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// permissionDenied says whose the socket is.
func permissionDenied(path string) string {
	uid := os.Geteuid()
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Sprintf("Its directory %s is closed to %s. Try sudo.", filepath.Dir(path), host.UserName(uid))
	}
	owner := ""
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = " belongs to " + host.UserName(int(st.Uid)) + " and"
	}
	return fmt.Sprintf("The socket %s%s has mode %04o, which does not let %s in. "+
		"Try sudo, or set chmod and chown in [unix_http_server].", path, owner, info.Mode().Perm(), host.UserName(uid))
}

// otherDaemon says whether some other supervisord than that at the URL runs on this
// machine, where the system lets us look.
func otherDaemon(url string) string {
	for _, socket := range slices.Concat(host.DefaultSockets(), othersSockets()) {
		if text := watchSocket(url, socket); text != "" {
			return text
		}
	}
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	if len(names) == 0 {
		return "Is supervisord running?"
	}
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && string(comm) == "supervisord\n" {
			return "A supervisord is running as pid " + filepath.Base(filepath.Dir(name)) +
				"; is it meant for another configuration (-c) or server (-s)?"
		}
	}
	return "No supervisord is running on this machine."
}

// othersSockets are what seem to be default sockets of other users. Whoever put them there
// is not known, so they are named, and not used.
func othersSockets() []string {
	var found []string
	for _, dir := range []string{"/run/user/*/supervisor", filepath.Join(os.TempDir(), "supervisor-*"), "/dev/shm/supervisor-*"} {
		paths, _ := filepath.Glob(filepath.Join(dir, "supervisor.sock")) // the patterns are right
		found = append(found, paths...)
	}
	return found
}
