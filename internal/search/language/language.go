// Package language splits texts into the words that an index knows them by.
package language

import (
	"fmt"
	"maps"
	"slices"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/ar"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/bleve/v2/registry"
)

// Analyzer splits texts of one language. It is safe for concurrent use.
type Analyzer struct {
	// Name is bleve's name of the analyzer.
	Name     string
	analyzer analysis.Analyzer
}

// Default is the language of texts unless a setting says otherwise.
const Default = "en"

// analyzers has bleve's analyzer of each language. The one of Chinese, Japanese and
// Korean splits their texts into pairs of characters, and other texts into words.
func analyzers() map[string]string {
	return map[string]string{
		"ar": ar.AnalyzerName, "cjk": cjk.AnalyzerName, "da": da.AnalyzerName, "de": de.AnalyzerName, Default: en.AnalyzerName,
		"es": es.AnalyzerName, "fi": fi.AnalyzerName, "fr": fr.AnalyzerName, "hu": hu.AnalyzerName, "it": it.AnalyzerName,
		"nl": nl.AnalyzerName, "no": no.AnalyzerName, "pt": pt.AnalyzerName, "ro": ro.AnalyzerName, "ru": ru.AnalyzerName,
		"sv": sv.AnalyzerName, "tr": tr.AnalyzerName,
	}
}

// Names are the languages, in order.
func Names() []string { return slices.Sorted(maps.Keys(analyzers())) }

// New returns the analyzer of a language.
func New(name string) (*Analyzer, error) {
	named, ok := analyzers()[name]
	if !ok {
		return nil, fmt.Errorf("%q is none of the languages %v", name, Names())
	}
	analyzer, err := registry.NewCache().AnalyzerNamed(named)
	if err != nil {
		return nil, fmt.Errorf("analyzer of %s: %w", name, err)
	}
	return &Analyzer{named, analyzer}, nil
}

// Word is a word of a text.
type Word struct {
	// Term is the word as the index knows it, such as its stem.
	Term string
	// Start and End are where it is in the text, in bytes.
	Start, End int
}

// Words returns the words of the text, without those that say nothing.
func (a *Analyzer) Words(text string) []Word {
	tokens := a.analyzer.Analyze([]byte(text))
	words := make([]Word, 0, len(tokens))
	for _, token := range tokens {
		words = append(words, Word{string(token.Term), token.Start, token.End})
	}
	return words
}
