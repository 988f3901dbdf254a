package launch

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// passedOn is a Socket that goes on in the place of s.
func passedOn(t *testing.T, s *Socket, log *lines) *Socket {
	t.Helper()
	saved, file, busy := s.Save()
	for ; busy != nil; saved, file, busy = s.Save() {
		<-busy
	}
	data, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	var read SavedSocket
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if err := read.Check(); err != nil {
		t.Fatal(err)
	}
	next := NewSocket(SocketOptions{}, log.add)
	next.Resume(read, file)
	return next
}

// TestSocketHandedOver: a socket is the same one under every owner, and the last who holds
// it removes its path, but no other's.
func TestSocketHandedOver(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		path := filepath.Join(shortDir(t), "sock")
		var log lines
		s := NewSocket(unixSocket(path), log.add)
		for range 2 {
			if _, err := s.Acquire(); err != nil {
				t.Fatal(err)
			}
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s = passedOn(t, s, &log)
		}
		<-s.Release()
		s = passedOn(t, s, &log)
		if now, err := os.Stat(path); err != nil || !os.SameFile(before, now) {
			t.Fatalf("it is another socket: %v", err)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if replaced {
			os.Remove(path)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s = passedOn(t, s, &log)
		}
		<-s.Release()
		if _, err := os.Stat(path); os.IsNotExist(err) == replaced {
			t.Errorf("replaced %v: its path: %v", replaced, err)
		}
		s = passedOn(t, s, &log) // without a file
		if _, err := s.Acquire(); (err == nil) == replaced {
			t.Errorf("replaced %v: it is made anew: %v", replaced, err)
		} else if !replaced {
			<-s.Release()
		}
	}
}

// A socket that is being made is not given up half made.
func TestBusySocketIsKept(t *testing.T) {
	var log lines
	s := NewSocket(unixSocket(filepath.Join(shortDir(t), "sock")), log.add)
	_, done := s.enqueue()
	if _, _, busy := s.Save(); busy == nil {
		t.Fatal("it is given up")
	}
	close(done)
	if _, err := s.Acquire(); err != nil {
		t.Fatal(err)
	}
	<-s.Release()
}
