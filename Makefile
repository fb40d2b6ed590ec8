# The tables of results/, by the commands beside them.
#
#   make results            all of them, one after the other
#   make transfer           one, by the name of its folder
#   make transfer LIMIT=64  with fewer images (the head of each command.sh names more)
#   make transfer PARTS=gain  some of its parts, where it has any
#
# SHARED holds data and weights, OUT takes what is made. What has finished is not done
# again; what was interrupted goes on. Figures in results/ are left as they are.
SHARED ?= ../shared
OUT ?= runs/results
TABLES := $(patsubst results/%/command.sh,%,$(wildcard results/*/command.sh))

.PHONY: results $(TABLES)
results: $(TABLES)
$(TABLES):
	bash results/$@/command.sh $(SHARED) $(OUT)/$@ $(PARTS)
