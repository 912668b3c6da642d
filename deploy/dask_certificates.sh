#!/bin/sh
# A certificate authority and one certificate for scheduler, workers and clients of Dask, good for
# two years: dask_certificates.sh FOLDER. Whoever has node-key.pem runs programs on the workers.
set -eu
folder=$1
umask 077
mkdir -p "$folder"
cd "$folder"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 730 \
    -subj "/CN=magnetcast Dask" -keyout ca-key.pem -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -subj "/CN=magnetcast Dask node" -keyout node-key.pem -out node.csr
openssl x509 -req -in node.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 730 -out node.pem
rm node.csr ca-key.pem  # new nodes get this certificate, or all get new ones
chmod 644 ca.pem node.pem node-key.pem  # the folder is closed; containers read them as another user
