package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
)

// sample is a release of two programs, of which one contains less.
func sample() (source, []artifact, []*module) {
	library := &module{path: stdlib, version: "1.26.8", license: "BSD-3-Clause", texts: []text{{"LICENSE", "Of Go.\n"}}}
	a := &module{path: "example.com/Upper/a", version: "v1.0.0", sum: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", license: "Apache-2.0 AND MIT",
		texts: []text{{"LICENSE", "Shared.\n"}, {"sub/LICENSE", "Of a part.\n"}}}
	b := &module{path: "example.com/b", version: "v2.0.0+incompatible", sum: a.sum, license: "Apache-2.0", texts: []text{{"COPYING", "Shared.\r\n\r\n"}}}
	s := source{version: "v1.2.0", commit: "0123abcd", date: time.Date(2026, 11, 29, 18, 30, 12, 0, time.UTC)}
	return s, []artifact{
		{archive: "lore_1.2.0_linux_amd64.tar.gz", content: []byte("archive"), modules: []*module{library, a, b}},
		{archive: "lorehook-webhook_1.2.0_lambda_arm64.zip", content: []byte("another"), modules: []*module{library, b}},
	}, []*module{a, b, library}
}

func TestRenderSBOM_SaysWhichArchiveContainsWhichModule(t *testing.T) {
	bill, err := renderSBOM(sample())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := spdxjson.Read(bytes.NewReader(bill))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"DOCUMENT": "the document"}
	var packages []string
	for _, p := range doc.Packages {
		names[string(p.PackageSPDXIdentifier)] = p.PackageName
		line := []string{p.PackageName, p.PackageVersion, p.PackageLicenseConcluded}
		for _, c := range p.PackageChecksums {
			line = append(line, c.Value[:8])
		}
		for _, r := range p.PackageExternalReferences {
			line = append(line, r.Locator)
		}
		packages = append(packages, strings.Join(line, " "))
	}
	if diff := cmp.Diff([]string{
		"lore_1.2.0_linux_amd64.tar.gz v1.2.0 Apache-2.0 AND BSD-3-Clause AND MIT " + checksum([]byte("archive"))[:8],
		"lorehook-webhook_1.2.0_lambda_arm64.zip v1.2.0 Apache-2.0 AND BSD-3-Clause " + checksum([]byte("another"))[:8],
		"example.com/Upper/a v1.0.0 Apache-2.0 AND MIT e3b0c442 pkg:golang/example.com/upper/a@v1.0.0",
		"example.com/b v2.0.0+incompatible Apache-2.0 e3b0c442 pkg:golang/example.com/b@v2.0.0%2Bincompatible",
		"stdlib 1.26.8 BSD-3-Clause pkg:golang/stdlib@1.26.8",
	}, packages); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	var relations []string
	for _, r := range doc.Relationships {
		relations = append(relations, strings.Join([]string{names[string(r.RefA.ElementRefID)], r.Relationship, names[string(r.RefB.ElementRefID)]}, " "))
	}
	if diff := cmp.Diff([]string{
		"the document DESCRIBES lore_1.2.0_linux_amd64.tar.gz",
		"lore_1.2.0_linux_amd64.tar.gz STATIC_LINK stdlib",
		"lore_1.2.0_linux_amd64.tar.gz STATIC_LINK example.com/Upper/a",
		"lore_1.2.0_linux_amd64.tar.gz STATIC_LINK example.com/b",
		"the document DESCRIBES lorehook-webhook_1.2.0_lambda_arm64.zip",
		"lorehook-webhook_1.2.0_lambda_arm64.zip STATIC_LINK stdlib",
		"lorehook-webhook_1.2.0_lambda_arm64.zip STATIC_LINK example.com/b",
	}, relations); diff != "" {
		t.Errorf("relationships (-want +got):\n%s", diff)
	}
}

func TestRenderSBOM_NamesAnotherContentDifferently(t *testing.T) {
	first, err := renderSBOM(sample())
	if err != nil {
		t.Fatal(err)
	}
	s, artifacts, modules := sample()
	artifacts[1].content = []byte("changed")
	second, err := renderSBOM(s, artifacts, modules)
	if err != nil {
		t.Fatal(err)
	}
	namespace := func(bill []byte) string {
		doc, err := spdxjson.Read(bytes.NewReader(bill))
		if err != nil {
			t.Fatal(err)
		}
		return doc.DocumentNamespace
	}
	if a, b := namespace(first), namespace(second); a == b || !strings.HasPrefix(a, project) {
		t.Errorf("two contents are named %s and %s", a, b)
	}
}

func TestRenderNotices_HasEveryTextOnceWithItsModules(t *testing.T) {
	s, _, modules := sample()
	got := renderNotices(s, modules)
	_, list, _ := strings.Cut(got, "\n\n")
	line := strings.Repeat("=", 78)
	want := `lore and Lorehook's functions contain the following software, unchanged. Which program
contains which, lorehook_1.2.0.spdx.json says. The source code is at the addresses given.

example.com/Upper/a v1.0.0
    Apache-2.0 AND MIT
    https://pkg.go.dev/example.com/Upper/a@v1.0.0
example.com/b v2.0.0+incompatible
    Apache-2.0
    https://pkg.go.dev/example.com/b@v2.0.0+incompatible
stdlib 1.26.8
    BSD-3-Clause
    https://go.dev/dl/go1.26.8.src.tar.gz

` + line + `
example.com/Upper/a/LICENSE
example.com/b/COPYING
` + line + `

Shared.

` + line + `
example.com/Upper/a/sub/LICENSE
` + line + `

Of a part.

` + line + `
stdlib/LICENSE
` + line + `

Of Go.
`
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
