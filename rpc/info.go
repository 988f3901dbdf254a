package rpc

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"supervisord/rpc/xmlrpc"
	"supervisord/runtime"
	"supervisord/runtime/state"
	"supervisord/spec"
)

// processInfo is one process as getProcessInfo gives it.
//
// Source: contract/rpc.md section 5; the order of members is Supervisor's.
type processInfo runtime.Info

// AppendValue writes the struct. It is the hot path of every status client, so
// it appends the values between the parts of a text that was made once.
func (p processInfo) AppendValue(b []byte) []byte {
	parts := processInfoParts()
	part := 0
	str := func(b []byte, value string) []byte {
		part++
		return xmlrpc.AppendText(append(b, parts[part-1]...), value)
	}
	num := func(b []byte, value int64) []byte {
		part++
		return strconv.AppendInt(append(b, parts[part-1]...), value, 10)
	}
	b = str(b, p.Name)
	b = str(b, p.Group)
	b = num(b, epoch(p.Start))
	b = num(b, epoch(p.Stop))
	b = num(b, epoch(p.Now))
	b = num(b, int64(p.State))
	b = str(b, p.State.String())
	b = str(b, p.SpawnErr)
	b = num(b, int64(p.ExitStatus))
	b = str(b, p.StdoutLog)
	b = str(b, p.StdoutLog)
	b = str(b, p.StderrLog)
	b = num(b, int64(p.PID))
	b = append(b, parts[part]...)
	if p.State == state.Running && p.Probed == nil {
		b = appendUptime(b, p.PID, p.Uptime)
	} else {
		b = xmlrpc.AppendText(b, describe(runtime.Info(p)))
	}
	return append(b, parts[part+1]...)
}

// processInfoParts is the text of a processInfo around its values.
var processInfoParts = sync.OnceValue(func() []string {
	const str, num = "?", 0
	sample, err := xmlrpc.AppendValue(nil, xmlrpc.Struct{
		{Name: "name", Value: str}, {Name: "group", Value: str},
		{Name: "start", Value: num}, {Name: "stop", Value: num}, {Name: "now", Value: num},
		{Name: "state", Value: num}, {Name: "statename", Value: str}, {Name: "spawnerr", Value: str},
		{Name: "exitstatus", Value: num},
		{Name: "logfile", Value: str}, {Name: "stdout_logfile", Value: str}, {Name: "stderr_logfile", Value: str},
		{Name: "pid", Value: num}, {Name: "description", Value: str},
	})
	if err != nil {
		panic(err)
	}
	return regexp.MustCompile(`\?|\b0\b`).Split(string(sample), -1)
})

// processInfos is the array that getAllProcessInfo gives.
type processInfos []runtime.Info

// AppendValue writes the array.
func (all processInfos) AppendValue(b []byte) []byte {
	b = xmlrpc.AppendArrayStart(b)
	for i := range all {
		b = processInfo(all[i]).AppendValue(b)
	}
	return xmlrpc.AppendArrayEnd(b)
}

// items gives each process.
func (all processInfos) items(yield func(item any) error) error {
	for i := range all {
		if err := yield((*processInfo)(&all[i])); err != nil {
			return err
		}
	}
	return nil
}

// epoch is a time in whole seconds since 1970, 0 for none, kept within what an
// XML-RPC integer holds.
func epoch(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(t.Unix(), math.MinInt32), math.MaxInt32)
}

// describe is the text in the last column of supervisorctl status.
//
// Source: contract/process.md section 5.
// Differs: a process that never had an exit says so instead of the year 1970
// (contract/differences.md row 11); one whose start waits says for what;
// one that a person has disabled says so.
func describe(p runtime.Info) string {
	if p.Waiting != "" {
		return "waiting for " + p.Waiting
	}
	switch p.State {
	case state.Running:
		return string(appendUptime(nil, p.PID, p.Uptime)) + probeWords(p.Probed)
	case state.Starting:
		if p.Probed != nil && p.Probed.Asked && !p.Probed.Ready {
			return "not ready yet" + statusWords(p.Probed)
		}
	case state.Stopping:
		if p.Probed != nil {
			return strings.TrimPrefix(statusWords(p.Probed), ", ")
		}
	case state.Backoff, state.Fatal:
		if p.Retry != 0 {
			return strings.TrimPrefix(p.SpawnErr+", ", ", ") + fmt.Sprintf("retry %d in %d s", p.Retry, wholeSeconds(p.RetryIn))
		}
		if p.SpawnErr == "" {
			return `unknown error (try "tail ` + p.Name + `")`
		}
		return p.SpawnErr
	case state.Stopped, state.Exited:
		if p.Disabled && p.State == state.Stopped {
			return "disabled"
		}
		if p.Start.IsZero() || p.Stop.IsZero() {
			return "Not started"
		}
		return p.Stop.Local().Format("Jan 02 03:04 PM")
	}
	return ""
}

// probeWords end the description of a process that is probed, or speaks for itself.
func probeWords(p *runtime.ProbeInfo) (words string) {
	if p == nil {
		return ""
	}
	switch {
	case p.Leaving:
		words += ", stopping by itself"
	case p.Reloading:
		words += ", reloading"
	}
	switch {
	case p.Health == "":
	case p.Complaint != "":
		words += ", health " + p.Health + ": " + p.Complaint
	default:
		words += ", health " + p.Health
	}
	return words + statusWords(p)
}

// statusWords are what a process has said of itself.
func statusWords(p *runtime.ProbeInfo) string {
	if p.Status == "" {
		return ""
	}
	return ", status: " + p.Status
}

// wholeSeconds is a time that is left: 0 only when there is none.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// appendUptime appends the description of a process that runs. The duration is
// written as Python does: 0:00:05, or 1 day, 0:00:05.
func appendUptime(b []byte, pid int, d time.Duration) []byte {
	b = strconv.AppendInt(append(b, "pid "...), int64(pid), 10)
	b = append(b, ", uptime "...)
	sec := int64(max(d, 0) / time.Second)
	switch days := sec / 86400; days {
	case 0:
	case 1:
		b = append(b, "1 day, "...)
	default:
		b = append(strconv.AppendInt(b, days, 10), " days, "...)
	}
	b = strconv.AppendInt(b, sec/3600%24, 10)
	minute, second := byte(sec/60%60), byte(sec%60)
	return append(b, ':', '0'+minute/10, '0'+minute%10, ':', '0'+second/10, '0'+second%10)
}

// results is the status array of a call on several processes.
//
// Source: contract/rpc.md section 4, status array.
type results []runtime.Result

// AppendValue writes the array.
func (all results) AppendValue(b []byte) []byte {
	b = xmlrpc.AppendArrayStart(b)
	for _, r := range all {
		status, text := xmlrpc.Success, "OK"
		if r.Err != nil {
			status, text = xmlrpc.Failed, "FAILED: "+r.Err.Error()
			if fault, ok := toFault(r.Err, namespec(r.Group, r.Name)).(*xmlrpc.Fault); ok {
				status, text = fault.Code, fault.Text
			}
		}
		b = xmlrpc.AppendStructStart(b)
		b = xmlrpc.AppendString(xmlrpc.AppendMemberStart(b, "name"), r.Name)
		b = xmlrpc.AppendMemberEnd(b)
		b = xmlrpc.AppendString(xmlrpc.AppendMemberStart(b, "group"), r.Group)
		b = xmlrpc.AppendMemberEnd(b)
		b = xmlrpc.AppendInt(xmlrpc.AppendMemberStart(b, "status"), int64(status))
		b = xmlrpc.AppendMemberEnd(b)
		b = xmlrpc.AppendString(xmlrpc.AppendMemberStart(b, "description"), text)
		b = xmlrpc.AppendMemberEnd(b)
		b = xmlrpc.AppendStructEnd(b)
	}
	return xmlrpc.AppendArrayEnd(b)
}

// namespec is how a process is called: its name alone where the group has the
// same name.
func namespec(group, process string) string {
	return spec.Namespec{Group: group, Process: process}.String()
}

// config is one process of the desired state.
type config struct {
	group   *spec.Group
	process *spec.Process
	inUse   bool // its group is active
}

// configInfos is the array that getAllConfigInfo gives. logs holds the resolved log
// files of active processes.
type configInfos struct {
	configs []config
	logs    map[runtime.Select]runtime.Info
}

// items gives each process.
func (all configInfos) items(yield func(item any) error) error {
	for _, c := range all.configs {
		log := all.logs[runtime.Select{Group: c.group.Name, Process: c.process.Name}]
		if err := yield(configInfo(c.group, c.process, c.inUse, log)); err != nil {
			return err
		}
	}
	return nil
}

// configInfo is one process of the desired state as getAllConfigInfo gives it.
//
// Source: contract/rpc.md section 5 (4.3.0: without autorestart).
// Differs: the AUTO log of an active process is given by its path also after a
// reread, where Supervisor says "auto" until the group is added again.
func configInfo(g *spec.Group, p *spec.Process, inUse bool, log runtime.Info) xmlrpc.Struct {
	var uid any = "none"
	if p.User != nil {
		uid = p.User.UID
	}
	directory, url := "none", "none"
	if p.HasDir {
		directory = p.Directory
	}
	if !p.ServerURLAuto {
		url = p.ServerURL
	}
	stderr := p.Stderr
	if p.RedirectStderr {
		stderr.Kind = spec.OutputNone
	}
	return xmlrpc.Struct{
		{Name: "autostart", Value: p.Autostart},
		{Name: "directory", Value: directory},
		{Name: "uid", Value: uid},
		{Name: "command", Value: p.Command},
		{Name: "exitcodes", Value: p.ExitCodes},
		{Name: "group", Value: g.Name},
		{Name: "group_prio", Value: g.Priority},
		{Name: "inuse", Value: inUse},
		{Name: "killasgroup", Value: p.KillAsGroup},
		{Name: "name", Value: p.Name},
		{Name: "process_prio", Value: p.Priority},
		{Name: "redirect_stderr", Value: p.RedirectStderr},
		{Name: "startretries", Value: p.StartRetries},
		{Name: "startsecs", Value: p.StartSecs},
		{Name: "stdout_capture_maxbytes", Value: p.Stdout.CaptureMaxBytes},
		{Name: "stdout_events_enabled", Value: p.Stdout.EventsEnabled},
		{Name: "stdout_logfile", Value: outputName(p.Stdout, log.StdoutLog)},
		{Name: "stdout_logfile_backups", Value: p.Stdout.Backups},
		{Name: "stdout_logfile_maxbytes", Value: p.Stdout.MaxBytes},
		{Name: "stdout_syslog", Value: p.Stdout.Syslog},
		{Name: "stopsignal", Value: p.StopSignal},
		{Name: "stopwaitsecs", Value: p.StopWaitSecs},
		{Name: "stderr_capture_maxbytes", Value: stderr.CaptureMaxBytes},
		{Name: "stderr_events_enabled", Value: stderr.EventsEnabled},
		{Name: "stderr_logfile", Value: outputName(stderr, log.StderrLog)},
		{Name: "stderr_logfile_backups", Value: stderr.Backups},
		{Name: "stderr_logfile_maxbytes", Value: stderr.MaxBytes},
		{Name: "stderr_syslog", Value: stderr.Syslog},
		{Name: "serverurl", Value: url},
	}
}

func outputName(o spec.Output, resolved string) string {
	switch o.Kind {
	case spec.OutputNone:
		return "none"
	case spec.OutputFile:
		return o.File
	}
	if resolved != "" {
		return resolved
	}
	return "auto"
}
