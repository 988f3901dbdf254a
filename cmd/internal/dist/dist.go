// Package dist holds what is installed beside the programs: the unit for systemd, the
// files of its helpers, a configuration, shell completion and manual pages. The packages
// and supervisord install put the same files in their places.
package dist

import (
	"embed"
	"io/fs"
	"path"
	"strings"

	"supervisord/cmd/internal/completion"
	"supervisord/cmd/internal/pages"
)

//go:embed files
var files embed.FS

// File is a file or, without content, a directory.
type File struct {
	Path    string
	Content string
	Dir     bool
	Mode    fs.FileMode
	// Config is set for what belongs to the administrator once it is there.
	Config bool
	// Owned is set for what belongs to the user that the daemon runs as.
	Owned bool
}

// Options is what differs from the packages, which are the zero value.
type Options struct {
	// Prefix is where the programs are in bin, and what is read only in share; "" is /usr.
	Prefix string
	// Units is the directory of systemd's units; "" is that of packages.
	Units string
	// User runs the daemon; "" is root.
	User string
}

// Files is everything, directories before what is in them.
func Files(o Options) []File {
	prefix, units := o.Prefix, o.Units
	if prefix == "" {
		prefix = "/usr"
	}
	if units == "" {
		units = "/usr/lib/systemd/system"
	}
	helpers := "/usr/lib"
	if prefix != "/usr" {
		helpers = "/etc" // what is not a package's
	}
	list := []File{
		{Path: "/etc/supervisor/conf.d", Dir: true, Mode: 0o755},
		{Path: "/etc/supervisor/config.d", Dir: true, Mode: 0o755},
		{Path: "/var/log/supervisor", Dir: true, Mode: 0o755, Owned: true},
		{Path: "/etc/supervisor/supervisord.conf", Content: o.adapt("supervisord.conf"), Mode: 0o644, Config: true},
		{Path: path.Join(units, "supervisor.service"), Content: o.adapt("supervisor.service"), Mode: 0o644},
		{Path: path.Join(helpers, "sysusers.d/supervisor.conf"), Content: o.adapt("supervisor.sysusers"), Mode: 0o644},
		{Path: path.Join(helpers, "tmpfiles.d/supervisor.conf"), Content: o.adapt("supervisor.tmpfiles"), Mode: 0o644},
		{Path: "/etc/logrotate.d/supervisor", Content: o.adapt("supervisor.logrotate"), Mode: 0o644, Config: true},
		{Path: path.Join(prefix, "share/bash-completion/completions/supervisorctl"), Content: completion.Bash, Mode: 0o644},
		{Path: path.Join(prefix, "share/zsh/site-functions/_supervisorctl"), Content: completion.Zsh, Mode: 0o644},
		{Path: path.Join(prefix, "share/fish/vendor_completions.d/supervisorctl.fish"), Content: completion.Fish, Mode: 0o644},
	}
	if o.User != "" {
		list = append(list,
			File{Path: "/run/supervisor", Dir: true, Mode: 0o755, Owned: true},
			File{Path: "/var/lib/supervisor", Dir: true, Mode: 0o700, Owned: true})
	}
	names, _ := fs.Glob(pages.Files, "*") // the pattern is right
	for _, name := range names {
		page, _ := pages.Files.ReadFile(name) // it has just been listed
		list = append(list, File{Path: path.Join(prefix, "share/man/man"+name[len(name)-1:], name), Content: string(page), Mode: 0o644})
	}
	return list
}

// adapt is a file as the options have it.
func (o Options) adapt(name string) string {
	content, err := files.ReadFile("files/" + name)
	if err != nil {
		panic("dist: there is no file " + name)
	}
	text := string(content)
	if o.Prefix != "" {
		text = strings.ReplaceAll(text, "/usr/bin/", o.Prefix+"/bin/")
	}
	if o.User == "" {
		return text
	}
	// Another user than root can make nothing in /run itself.
	return strings.NewReplacer(
		"/run/supervisor.sock", "/run/supervisor/supervisor.sock",
		"/run/supervisord.pid", "/run/supervisor/supervisord.pid",
		"only root may use it", "only root and "+o.User+" may use it",
		"[rpcinterface", "[reconcile]\nstatedir=/var/lib/supervisor\n\n[rpcinterface",
		"ExecStart=", "User="+o.User+"\nExecStart=",
		"u supervisor ", "u "+o.User+" ",
		"user=supervisor", "user="+o.User,
		"0755 root root", "0755 "+o.User+" -",
		"# Socket and pidfile of", "d /run/supervisor 0755 "+o.User+" -\nd /var/lib/supervisor 0700 "+o.User+" -\n# Socket and pidfile of",
		"\tmissingok", "\tsu "+o.User+" "+o.User+"\n\tmissingok",
	).Replace(text)
}
