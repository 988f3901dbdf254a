package notify

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// maxMessage bounds a message, in bytes, as systemd does.
const maxMessage = 4096

// Listen makes a socket of its own for one run of a program, and returns the address that
// the program finds it by, for NOTIFY_SOCKET. It is for Hear.
func Listen() (socket *os.File, address string, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, "", os.NewSyscallError("socket", err)
	}
	if address, err = name(fd); err != nil {
		_ = unix.Close(fd)
		return nil, "", err
	}
	return os.NewFile(uintptr(fd), "notify "+address), address, nil
}

// name makes the kernel give a socket a name and pass on the credentials of senders.
func name(fd int) (address string, err error) {
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return "", os.NewSyscallError("setsockopt", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	own, is := at.(*unix.SockaddrUnix)
	if !is || len(own.Name) < 2 {
		return "", errors.New("the kernel gave the socket no name")
	}
	return own.Name, nil // with @ for the NUL byte
}

// receive reads a message from a socket, and who sent it.
func receive(fd int) (h heard, err error) {
	var text [maxMessage]byte
	// There is room only for the credentials of the sender. The kernel drops descriptors
	// that come with a message: closing one may wait for ever for a disk of the sender's.
	control := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	var n, of, flags int
	for {
		n, of, flags, _, err = unix.Recvmsg(fd, text[:], control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return h, err
	}
	parts, err := unix.ParseSocketControlMessage(control[:of])
	if err != nil {
		return h, nil
	}
	for i := range parts {
		if from, err := unix.ParseUnixCredentials(&parts[i]); err == nil {
			h.from = Sender{int(from.Pid), int(from.Uid)}
		}
	}
	if flags&unix.MSG_TRUNC == 0 && h.from.PID > 0 {
		h.text = string(text[:n])
	}
	return h, nil
}
