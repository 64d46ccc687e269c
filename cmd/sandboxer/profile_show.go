package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/profile"
)

// profileDocument is what profile show prints.
type profileDocument struct {
	Profile  string            `json:"profile"`
	Path     string            `json:"path"`
	File     string            `json:"file"`
	Summary  string            `json:"summary"`
	Services []profileService  `json:"services"`
	Networks []string          `json:"networks"`
	Volumes  []string          `json:"volumes"`
	Images   []string          `json:"images"` // to be on the host already
	Upload   profileUpload     `json:"upload"`
	Findings []profile.Finding `json:"findings"`
	Compose  string            `json:"compose"` // the compose file as it is uploaded
}

type profileService struct {
	Name    string   `json:"service"`
	Image   string   `json:"image"` // empty where it is built
	Build   string   `json:"build"` // empty where it is not
	Ports   []string `json:"ports"`
	Volumes []string `json:"volumes"`
	Ready   []string `json:"ready"`
}

type profileUpload struct {
	Files int   `json:"files_total"`
	Bytes int64 `json:"size_bytes"`
}

func (a *app) profileShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show PROFILE",
		Short:   "show what a profile would deploy",
		Example: "  sandboxer profile show ./web\n  sandboxer profile show web -o json",
		Long: "Profile show tells what a create of the profile would deploy and upload. The\n" +
			"compose file in it is the one that is uploaded: with all variables filled in and\n" +
			"in a form that every compose tool reads alike.",
		Args: wants("PROFILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			quietLoader()
			if profile.BuiltIn(args[0]) {
				return misused("profile %s is built in: it is sandboxer itself", quote(args[0]))
			}
			loaded, err := profile.Open(cmd.Context(), args[0])
			if err != nil {
				return hereError(err)
			}
			doc := showDocument(loaded)
			return a.answer(doc, func(p *page) { profileText(p, doc, loaded) })
		},
	}
}

func showDocument(p *profile.Profile) profileDocument {
	doc := profileDocument{
		Profile: p.Name, Path: p.Dir, File: p.File, Summary: p.Summary, Services: []profileService{},
		Networks: append([]string{}, p.Networks...), Volumes: append([]string{}, p.Volumes...), Images: append([]string{}, p.Images...),
		Upload: profileUpload{p.Files, p.Bytes}, Findings: append([]profile.Finding{}, p.Findings...), Compose: string(p.Compose),
	}
	for _, s := range p.Services {
		doc.Services = append(doc.Services, profileService{
			s.Name, s.Image, s.Build, append([]string{}, s.Ports...), append([]string{}, s.Volumes...), append([]string{}, s.Ready...),
		})
	}
	return doc
}

func profileText(p *page, doc profileDocument, loaded *profile.Profile) {
	p.field("profile", doc.Profile)
	p.field("file", doc.File)
	p.field("summary", cmp.Or(doc.Summary, none))
	p.field("networks", list(doc.Networks))
	p.field("volumes", list(doc.Volumes))
	p.field("images", list(doc.Images))
	p.field("upload", uploadText(loaded))
	p.title("services", fmt.Sprint(len(doc.Services)))
	var rows [][]string
	for _, s := range doc.Services {
		rows = append(rows, []string{s.Name, cmp.Or(s.Image, "built from "+s.Build), list(s.Ports), list(s.Volumes), list(s.Ready)})
	}
	p.table("  ", []string{"SERVICE", "IMAGE", "PORTS", "MOUNTS", "READY"}, rows)
	if len(doc.Findings) > 0 {
		p.title("findings", fmt.Sprint(len(doc.Findings)))
		findingsText(p, loaded)
	}
	p.title("compose", "")
	for line := range strings.Lines(doc.Compose) {
		p.line(strings.TrimRight(line, "\n"))
	}
}

func list(words []string) string { return cmp.Or(strings.Join(words, ", "), none) }

func uploadText(p *profile.Profile) string {
	size := p.Bytes
	return fmt.Sprintf("%s, %s", plural(p.Files, "file", "files"), bytesText(float64(size)))
}
