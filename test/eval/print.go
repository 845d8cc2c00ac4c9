package eval

import (
	"fmt"
	"io"
)

// Print writes a table of the means of each set, and what fusion gains over BM25.
func Print(out io.Writer, results []Result) {
	const line = "%-12s %7s  %-8s %8s %10s %6s   %s\n"
	fmt.Fprintf(out, line, "set", "queries", "ranking", "nDCG@10", "recall@10", "MRR", "nDCG@10 against BM25 (95%)")
	for _, set := range Sets(results) {
		all := of(results, set)
		for i, ranking := range Rankings() {
			name, n, gain := set, fmt.Sprint(len(all)), ""
			if i > 0 {
				d := Bootstrap(gains(all, ranking))
				name, n, gain = "", "", fmt.Sprintf("%+.3f (%+.3f to %+.3f)", d.Mean, d.Low, d.High)
			}
			s := means(all, ranking)
			fmt.Fprintf(out, line, name, n, ranking, three(s.NDCG), three(s.Recall), three(s.RR), gain)
		}
	}
	fmt.Fprintln(out)
}

func three(v float64) string { return fmt.Sprintf("%.3f", v) }

func of(results []Result, set string) []Result {
	var all []Result
	for _, r := range results {
		if r.Set == set {
			all = append(all, r)
		}
	}
	return all
}

// gains are the differences in nDCG@10 to BM25.
func gains(results []Result, ranking string) []float64 {
	all := make([]float64, len(results))
	for i, r := range results {
		all[i] = r.Scores[ranking].NDCG - r.Scores[BM25].NDCG
	}
	return all
}

func means(results []Result, ranking string) (m Scores) {
	n := float64(len(results))
	for _, r := range results {
		s := r.Scores[ranking]
		m.NDCG, m.Recall, m.RR = m.NDCG+s.NDCG/n, m.Recall+s.Recall/n, m.RR+s.RR/n
	}
	return m
}
