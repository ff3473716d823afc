#!/bin/sh
# The git work of $2 tasks, one after the other, with bare commands in the clone $1: what no engine can save.
set -eu
clone=$1
tasks=$2
worktrees=$3
cd "$clone"
for i in $(seq "$tasks"); do
  branch=feature/floor-$i
  git fetch --quiet origin main
  base=$(git rev-parse origin/main)
  git worktree add --quiet --no-track -b "$branch" "$worktrees/$i" "$base"
  (
    cd "$worktrees/$i"
    echo x > "floor-$i"
    git add --all
    git commit --quiet --message "feat: floor $i"
    git push --quiet origin "$branch"
  )
  git fetch --quiet origin main
  head=$(git rev-parse "$branch")
  base=$(git rev-parse origin/main)
  tree=$(git merge-tree --write-tree "$base" "$head")
  merge=$(git commit-tree -p "$base" -p "$head" -m "Merge $branch" "$tree")
  git push --quiet origin "$merge:refs/heads/main"
  git worktree remove "$worktrees/$i"
  git branch --quiet -D "$branch"
done
