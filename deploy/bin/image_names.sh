#!/bin/sh
# The images of the services, as deploy/Dockerfile makes them: a line with the stage and the name of each.
awk '/^FROM final AS / { stage = $4 } /image\.title=/ { split($2, label, "="); print stage, label[2] }' \
  "$(dirname "$0")/../Dockerfile"
