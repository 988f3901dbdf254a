package launch

import (
	"os"
	"time"
)

// Save gives a PidFD up without closing it, and gives out its file. Who waits is ended as
// by Close.
func (p *PidFD) Save() *os.File {
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
	return p.file
}

// ResumePidFD continues in place of a PidFD that was saved. The file is non-blocking.
func ResumePidFD(file *os.File) *PidFD {
	_ = file.SetReadDeadline(time.Time{})
	return &PidFD{file}
}
