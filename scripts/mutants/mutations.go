package main

// mutations break, one at a time, the rules that tests must protect.
func mutations() []mutation {
	var all []mutation
	for _, list := range [][]mutation{guardMutations(), evidenceMutations(), hideMutations(), eraseMutations(), sightMutations(), feedMutations(), listMutations(), pageMutations(), commitMutations(), stageMutations(), sweepMutations(), walkMutations(), projectMutations(), passMutations(), censusMutations(), expressionMutations(), deployMutations(), searchMutations(), gitlabMutations(), awsMutations(), oddMutations(), hookMutations(), cliMutations()} {
		all = append(all, list...)
	}
	return all
}

func outcomes() []suite { return []suite{model(), invariants()} }
