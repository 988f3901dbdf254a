package rpc

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"supervisord/spec"
)

// listeningSocket is a TCP socket of this machine on which somebody listens.
type listeningSocket struct {
	addr  netip.Addr
	inode string
}

// listeningOn lists who listens on a port of TCP, of IPv4 or of IPv6. It is empty where
// the system does not say.
func listeningOn(port int, six bool) (list []listeningSocket) {
	file := "/proc/self/net/tcp"
	if six {
		file += "6"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	const listens = "0A"
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listens {
			continue
		}
		host, number, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(number, 16, 16); err != nil || int(n) != port {
			continue
		}
		raw, err := hex.DecodeString(host)
		if err != nil {
			continue
		}
		for i := 0; i+4 <= len(raw); i += 4 { // each word is written as a number
			binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
		}
		if addr, ok := netip.AddrFromSlice(raw); ok {
			list = append(list, listeningSocket{addr, fields[9]})
		}
	}
	return list
}

// HeldBy reports whether the socket that keeps a server from its address is one of a
// process, or may be: where the system does not let us look.
func HeldBy(pid int, sv spec.Server) bool {
	if sv.Network == "unix" {
		return listens(sv.Path) == pid || isGiven(pid, sv.Path)
	}
	host, err := netip.ParseAddr(strings.Trim(sv.Host, "[]"))
	six := err == nil && host.Is6()
	theirs, listErr := openFiles(pid)
	if listErr != nil {
		return true
	}
	for _, l := range listeningOn(sv.Port, six) {
		if (err != nil || host.IsUnspecified() || l.addr.IsUnspecified() || l.addr == host) && !theirs["socket:["+l.inode+"]"] {
			return false
		}
	}
	return true
}

// openFiles are the files that a process has open, by what the links to them say.
func openFiles(pid int) (map[string]bool, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	names, err := os.ReadDir(dir)
	files := make(map[string]bool, len(names))
	for _, name := range names {
		if target, err := os.Readlink(filepath.Join(dir, name.Name())); err == nil {
			files[target] = true
		}
	}
	return files, err
}

// isGiven reports whether a process has a unix socket that another has made for it, as a
// service manager does.
func isGiven(pid int, path string) bool {
	theirs, err := openFiles(pid)
	if err != nil {
		return false
	}
	text, err := os.ReadFile("/proc/self/net/unix")
	if err != nil {
		return false
	}
	const inode, name = 6, 7
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > name && fields[name] == path && theirs["socket:["+fields[inode]+"]"] {
			return true
		}
	}
	return false
}

// listens is the process that listens on a unix socket; 0 where that cannot be said.
func listens(path string) int {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) { // it fails for a closed one only
		if cred, err := peerCredentials(int(fd)); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// takenByOthers reports whether somebody else would still keep a server from its address
// once these sockets are closed: one of every address and any of a single one are in each
// other's way.
func (s *Sockets) takenByOthers(sv spec.Server) bool {
	if sv.Network != "tcp" || !spec.EveryAddress(sv.Host) {
		return false // what these sockets occupy nobody else has
	}
	for _, l := range listeningOn(sv.Port, false) {
		if !s.listensAt(l.addr, sv.Port) {
			return true
		}
	}
	return false
}

// listensAt reports whether one of the sockets is that of an address.
func (s *Sockets) listensAt(addr netip.Addr, port int) bool {
	for _, k := range s.list {
		if k.Network != "tcp" || k.Port != port {
			continue
		}
		k.mu.Lock()
		listener := k.listener
		k.mu.Unlock()
		if listener == nil {
			continue
		}
		if at, err := netip.ParseAddrPort(listener.Addr().String()); err == nil && at.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}
