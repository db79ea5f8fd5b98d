// Of redoc only the bundle is served to browsers, and it holds all that the package would install beside itself.
module.exports = {
  hooks: {
    readPackage(manifest) {
      if (manifest.name === "redoc") Object.assign(manifest, { dependencies: {}, peerDependencies: {} });
      return manifest;
    },
  },
};
