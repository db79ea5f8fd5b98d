/** Debian's Chromium brings a driver of Vulkan that computes on the processor. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** The description of the driver that suites on WebGPU compute with. */
export const VULKAN_DRIVER = process.env.SCRIBE_TEST_VULKAN ?? SWIFTSHADER;
