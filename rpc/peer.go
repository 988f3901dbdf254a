package rpc

import (
	"context"
	"fmt"
	"net"
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
	if f, ok := c.(*framedConn); ok {
		c = f.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return c.RemoteAddr().String()
	}
	if uid, ok := peerUID(u); ok {
		return fmt.Sprintf("uid %d via unix socket", uid)
	}
	return "unix socket"
}

// peerUID is the user who connected, as the kernel knows it.
func peerUID(c *net.UnixConn) (uid int, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	controlErr := raw.Control(func(fd uintptr) { uid, err = socketUID(int(fd)) })
	return uid, controlErr == nil && err == nil
}
