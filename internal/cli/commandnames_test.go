package cli

import "strings"

// CommandNames are the names of all commands, such as "runs list", and of the groups of
// them, such as "runs".
func CommandNames() (names, groups []string, err error) {
	parser, err := newParser(&commands{})
	if err != nil {
		return nil, nil, err
	}
	nodes := parser.Model.Children
	for len(nodes) > 0 {
		node := nodes[0]
		nodes = append(nodes[1:], node.Children...)
		if name := strings.TrimPrefix(called(node), "lore "); node.Leaf() {
			names = append(names, name)
		} else {
			groups = append(groups, name)
		}
	}
	return names, groups, nil
}
