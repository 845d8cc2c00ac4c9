package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
)

const (
	project      = "https://gitlab.com/lorehook/lorehook"
	ownLicense   = "Apache-2.0"
	noAssertion  = "NOASSERTION"
	hashesInSBOM = "The SHA256 of a Go module is its h1 hash in go.sum, in hexadecimal: that of the list of its files' hashes. " +
		"The SHA256 of an archive is that of the file."
)

// renderSBOM lists the archives, the modules, and which module is linked into the program
// of which archive, as an SPDX document.
func renderSBOM(s source, artifacts []artifact, modules []*module) ([]byte, error) {
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName: "lorehook-" + s.number(),
		CreationInfo: &spdx.CreationInfo{
			Created:        s.date.UTC().Format(time.RFC3339),
			Creators:       []common.Creator{{CreatorType: "Organization", Creator: "Lorehook"}, {CreatorType: "Tool", Creator: "lorehook-release-" + s.number()}},
			CreatorComment: hashesInSBOM,
		},
	}
	var all strings.Builder
	for _, a := range artifacts {
		fmt.Fprintln(&all, a.archive, checksum(a.content))
		doc.Packages = append(doc.Packages, a.spdx(s))
		doc.Relationships = append(doc.Relationships, relation("DOCUMENT", common.TypeRelationshipDescribe, a.id()))
		for _, m := range a.modules {
			doc.Relationships = append(doc.Relationships, relation(a.id(), common.TypeRelationshipStaticLink, m.id()))
		}
	}
	// Unique, as SPDX demands: another content has another name.
	doc.DocumentNamespace = fmt.Sprintf("%s/-/spdx/%s/%s", project, s.version, checksum([]byte(all.String())))
	for _, m := range modules {
		p, err := m.spdx()
		if err != nil {
			return nil, err
		}
		doc.Packages = append(doc.Packages, p)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err := spdxjson.Write(doc, &out, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
	return out.Bytes(), err
}

func relation(from common.ElementID, kind string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.DocElementID{ElementRefID: from}, Relationship: kind, RefB: common.DocElementID{ElementRefID: to}}
}

// notInID are characters that an SPDX identifier cannot have.
var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func (a artifact) id() common.ElementID {
	return common.ElementID("Archive-" + notInID.ReplaceAllString(a.archive, "-"))
}

func (m *module) id() common.ElementID {
	return common.ElementID("Module-" + notInID.ReplaceAllString(m.path+"-"+m.version, "-"))
}

func (a artifact) spdx(s source) *spdx.Package {
	licenses := map[string]bool{ownLicense: true}
	for _, m := range a.modules {
		for name := range strings.SplitSeq(m.license, " AND ") {
			licenses[name] = true
		}
	}
	return &spdx.Package{
		PackageName: a.archive, PackageSPDXIdentifier: a.id(), PackageVersion: s.version, PackageFileName: a.archive,
		PackageSupplier:         &common.Supplier{SupplierType: "Organization", Supplier: "Lorehook"},
		PackageDownloadLocation: noAssertion, PackageHomePage: project,
		PackageSourceInfo:       "built from commit " + s.commit,
		PackageChecksums:        []common.Checksum{{Algorithm: common.SHA256, Value: checksum(a.content)}},
		PackageLicenseConcluded: strings.Join(slices.Sorted(maps.Keys(licenses)), " AND "), PackageLicenseDeclared: ownLicense,
		PackageCopyrightText: noAssertion, PrimaryPackagePurpose: "APPLICATION",
	}
}

func (m *module) spdx() (*spdx.Package, error) {
	p := &spdx.Package{
		PackageName: m.path, PackageSPDXIdentifier: m.id(), PackageVersion: m.version,
		PackageDownloadLocation: noAssertion, PackageHomePage: m.page(),
		PackageLicenseConcluded: m.license, PackageLicenseDeclared: m.license, PackageCopyrightText: noAssertion,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: "pkg:golang/" + strings.ToLower(m.path) + "@" + strings.ReplaceAll(m.version, "+", "%2B"),
		}},
		PrimaryPackagePurpose: "LIBRARY",
	}
	if m.path == stdlib {
		p.PackageDownloadLocation = m.page()
		return p, nil
	}
	sum, found := strings.CutPrefix(m.sum, "h1:")
	hash, err := base64.StdEncoding.DecodeString(sum)
	if !found || err != nil {
		return nil, fmt.Errorf("%s %s has the sum %q, which is not h1", m.path, m.version, m.sum)
	}
	p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(hash)}}
	return p, nil
}
