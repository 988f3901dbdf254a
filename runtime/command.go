package runtime

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"supervisord/runtime/launch"
	"supervisord/spec"
	"supervisord/spec/value"
)

// refusal is a command that cannot be started, with the text that becomes the
// process's spawn error and the kind of refusal that a client gets.
type refusal struct {
	kind Kind
	text string
}

func (r *refusal) Error() string { return r.text }

// argvOf splits a command into words.
//
// Source: contract/process.md section 4.
func argvOf(command string) ([]string, error) {
	argv, err := value.Split(command)
	if err != nil {
		return nil, &refusal{NotExecutable, "can't parse command " + value.PyRepr(command) + ": " + err.Error()}
	}
	if len(argv) == 0 {
		return nil, &refusal{NotExecutable, "command is empty"}
	}
	return argv, nil
}

// commandOf makes what is to be launched of a definition. It looks at the file
// system to find the command.
func commandOf(def *spec.Process, group string, environ []string) (launch.Command, error) {
	c := launch.Command{
		Name: def.Name, Dir: def.Directory, HasDir: def.HasDir, Umask: def.Umask,
		RedirectStderr: def.RedirectStderr, UID: -1, GID: -1,
	}
	if u := def.User; u != nil {
		c.SetUser, c.UID, c.GID, c.Groups = true, u.UID, u.GID, u.Groups
	}
	c.Env = environmentOf(def, group, environ)
	var err error
	if c.Args, err = argvOf(def.Command); err != nil {
		return c, err
	}
	c.Path, err = lookUp(c.Args[0], def, c.Env)
	return c, err
}

// lookUp finds the executable of a command.
func lookUp(argv0 string, def *spec.Process, env []string) (string, error) {
	path, err := launch.Resolve(argv0, def.Directory, valueOf(env, "PATH"))
	if err == nil {
		return path, nil
	}
	kind := NotExecutable
	if _, missing := err.(*launch.NotFound); missing {
		kind = NoFile
	}
	return "", &refusal{kind, err.Error()}
}

// whereIs is the directory in which a command is looked up: for a bare name, all of PATH.
func whereIs(def *spec.Process, environ []string) string {
	argv, err := argvOf(def.Command)
	switch {
	case err != nil || !strings.Contains(argv[0], "/"):
		if path, set := def.Environment["PATH"]; set {
			return path
		}
		return valueOf(environ, "PATH")
	case def.Directory != "" && !filepath.IsAbs(argv[0]):
		return filepath.Join(def.Directory, filepath.Dir(argv[0]))
	}
	return filepath.Dir(argv[0])
}

// environ is the environment that a child starts from now.
func (s *Supervisor) environ() []string {
	if s.opt.Variables == nil {
		return s.opt.Environ
	}
	more := s.opt.Variables()
	if len(more) == 0 {
		return s.opt.Environ
	}
	return withVariables(s.opt.Environ, more)
}

// environmentOf is a child's environment: the daemon's own, then Supervisor's
// variables, then the configured ones.
//
// Source: contract/config.md section 10.
func environmentOf(def *spec.Process, group string, environ []string) []string {
	set := map[string]string{
		"SUPERVISOR_ENABLED":      "1",
		"SUPERVISOR_PROCESS_NAME": def.Name,
		"SUPERVISOR_GROUP_NAME":   group,
	}
	if def.ServerURL != "" {
		set["SUPERVISOR_SERVER_URL"] = def.ServerURL
	}
	for k, v := range def.Environment {
		set[k] = v
	}
	return withVariables(environ, set)
}

// withVariables is an environment in which these are set. The parts keep their order; what
// is set comes last, sorted.
func withVariables(environ []string, set map[string]string) []string {
	env := make([]string, 0, len(environ)+len(set))
	for _, kv := range environ {
		k, _, _ := strings.Cut(kv, "=")
		if _, replaced := set[k]; !replaced {
			env = append(env, kv)
		}
	}
	own := len(env)
	for k, v := range set {
		env = append(env, k+"="+v)
	}
	slices.Sort(env[own:])
	return env
}

// notifyEnvironment is an environment in which a program finds out how it is heard, and how
// often it must say that it is well, as systemd has it.
func notifyEnvironment(env []string, address string, watchdog time.Duration) []string {
	env = slices.DeleteFunc(env, func(kv string) bool {
		k, _, _ := strings.Cut(kv, "=")
		return k == "NOTIFY_SOCKET" || k == "WATCHDOG_USEC" || k == "WATCHDOG_PID" // those are of others
	})
	env = append(env, "NOTIFY_SOCKET="+address)
	if watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(watchdog.Microseconds(), 10))
	}
	return env
}

// valueOf is a variable of an environment, "" when it is not set.
func valueOf(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}
