package rpc

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
)

type callerKey struct{}

// Caller says who asked, for the activity log and the history: "uid 1000 via
// unix socket", or the address of a TCP client. It is "" outside a request.
func Caller(ctx context.Context) string {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller
}

// peer describes the other end of a connection.
func peer(c net.Conn) string {
	uid, known, unix := peerUID(c)
	switch {
	case known:
		return fmt.Sprintf("uid %d via unix socket", uid)
	case unix:
		return "unix socket"
	}
	return address(c)
}

// address is that of the other end, "" where it is gone: a connection that its client has
// reset before we made it of a descriptor has none.
func address(c net.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// identify says whose connection it is: the user's at the other end of a unix socket,
// or that of an address. The owner is the user that the daemon runs as, or root.
func identify(c net.Conn) (client string, owner bool) {
	uid, known, unix := peerUID(c)
	switch {
	case known:
		return strconv.Itoa(uid), uid == 0 || uid == os.Geteuid()
	case unix:
		return "", false
	}
	from := address(c)
	host, _, err := net.SplitHostPort(from)
	if err != nil {
		host = from
	}
	return host, false
}

// peerUID is the user at the other end of a unix socket, where the kernel knows it.
func peerUID(c net.Conn) (uid int, known, unix bool) {
	if f, ok := c.(*framedConn); ok {
		c = f.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, false, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, false, true
	}
	controlErr := raw.Control(func(fd uintptr) { uid, err = socketUID(int(fd)) })
	return uid, controlErr == nil && err == nil, true
}
