# SPDX-License-Identifier: MIT
# docs/container.md tells how to build and run these images.
#
#   runtime (default)  the program alone, for drives handed in with --device
#   lab                the program with QEMU and a kernel: shows a peer-to-peer copy anywhere
#   test               the unit tests
#
# Another base needs Node >= 20.11 below /usr/local, its headers, and a user called node.
ARG BASE=node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d

FROM ${BASE} AS tools
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc g++ make python3 libc6-dev liburing-dev libxxhash-dev \
 && rm -rf /var/lib/apt/lists/*

# As an ordinary user: nothing that is downloaded runs as root. The native binding is compiled
# against the headers of the base, which node-gyp would otherwise download.
FROM tools AS build
ENV npm_config_nodedir=/usr/local npm_config_update_notifier=false
RUN install -d -o node -g node /src
USER node
WORKDIR /src
COPY --chown=node:node package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY --chown=node:node . .
RUN npm run build --silent

FROM build AS test
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends patch xz-utils \
 && rm -rf /var/lib/apt/lists/*
USER node
CMD ["npm", "run", "test:unit"]

# What the native binding was compiled from and through is of no use any more.
FROM build AS production
RUN npm prune --omit=dev --no-audit --no-fund --loglevel=error \
 && rm -rf node_modules/*/deps node_modules/*/build/Release/obj.target node_modules/*/build/deps \
 && mkdir out && cp -r package.json LICENSE dist kernel-series schemas node_modules out/

# The lab's kernel, which takes some minutes: `--build-context kernel=FOLDER` takes FOLDER/bzImage instead.
FROM tools AS kernel-build
RUN apt-get update \
 && apt-get install -y --no-install-recommends linux-source-6.12 flex bison bc libelf-dev xz-utils \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build --chown=node:node /src /src
USER node
WORKDIR /src
RUN XDG_CACHE_HOME=/tmp/cache node dist/p2pdma.js lab build && cp /tmp/cache/p2pdma/kernels/*/bzImage /home/node/

FROM scratch AS kernel
COPY --from=kernel-build /home/node/bzImage /

FROM ${BASE} AS lab
RUN apt-get update \
 && apt-get install -y --no-install-recommends qemu-system-x86 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=production /src/out /opt/p2pdma
COPY --from=kernel /bzImage /opt/p2pdma/bzImage
RUN ln -s /opt/p2pdma/dist/p2pdma.js /usr/local/bin/p2pdma
ENV P2PDMA_LAB_KERNEL=/opt/p2pdma/bzImage
USER node
WORKDIR /home/node
CMD ["p2pdma", "lab", "demo"]

FROM ${BASE} AS runtime
COPY --from=production /src/out /opt/p2pdma
RUN ln -s /opt/p2pdma/dist/p2pdma.js /usr/local/bin/p2pdma
USER node
WORKDIR /home/node
ENTRYPOINT ["p2pdma"]
CMD ["--help"]
