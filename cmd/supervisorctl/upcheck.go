package main

import (
	"context"

	"supervisord/rpc/client"
)

// apiVersion is the only version of the XML-RPC interface there is.
const apiVersion = "3.0"

// upcheck asks whether the server can be talked to at all, before a command that
// changes things starts. Where it cannot, it says so. An error is one that the
// commands do not foresee either.
//
// Source: contract/supervisorctl.md section 3.
func (s *session) upcheck(ctx context.Context) (bool, error) {
	c, err := s.connect()
	if err != nil {
		return false, err
	}
	version, err := c.APIVersion(ctx)
	switch {
	case err == nil && version == apiVersion:
		return true, nil
	case err == nil:
		s.say("Sorry, this version of supervisorctl expects to talk to a server with API version %s, but the remote version is %s.",
			apiVersion, version)
		s.fail(exitWrongAPI)
	case client.HasCode(err, client.FaultUnknownMethod):
		s.say("Sorry, supervisord responded but did not recognize the supervisor namespace commands that supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in the configuration file (see sample.conf).")
		s.fail(exitNoNamespace)
	case unreachable(err) != "":
		s.say("%s %s", s.settings.url, unreachable(err))
		s.advise(err)
		s.fail(exitRefused)
		if client.IsKind(err, client.NoFile) {
			s.fail(exitNotRunning)
		}
	default:
		return false, err
	}
	return false, nil
}

// unreachable is the words for a server that is not there, "" for any other
// error.
func unreachable(err error) string {
	switch {
	case client.IsKind(err, client.Refused):
		return "refused connection"
	case client.IsKind(err, client.NoFile):
		return "no such file"
	}
	return ""
}
