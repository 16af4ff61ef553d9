package dev.sparkmla.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import jcuda.driver.CUdevice;
import jcuda.driver.CUuuid;
import jcuda.driver.JCudaDriver;

/**
 * One CUDA device of this host, as the driver describes it: a value, to be opened with {@link
 * CudaContext#open}. CUDA_VISIBLE_DEVICES decides which devices there are, and their order.
 *
 * @param ordinal position among the visible devices, from 0
 * @param name as the driver spells it, such as "NVIDIA H200"
 * @param computeCapability what code it runs
 * @param totalMemoryBytes all of its memory, in use or not
 * @param multiprocessors streaming multiprocessors
 * @param uuid the same on every host and boot; a MIG slice has its GPU's
 */
public record GpuDevice(
    int ordinal,
    String name,
    ComputeCapability computeCapability,
    long totalMemoryBytes,
    int multiprocessors,
    UUID uuid) {

  /**
   * The devices that this process sees, in the driver's order; never empty.
   *
   * @throws CudaUnavailableException where there is no driver or no device
   */
  public static List<GpuDevice> all() {
    Driver.initialize();
    int[] count = new int[1];
    Driver.check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount", null);
    if (count[0] == 0) {
      throw new CudaUnavailableException(
          CudaUnavailableException.Reason.NO_DEVICE,
          "no CUDA device: the driver is there but shows none (see CUDA_VISIBLE_DEVICES)");
    }
    List<GpuDevice> devices = new ArrayList<>();
    for (int ordinal = 0; ordinal < count[0]; ordinal++) {
      devices.add(describe(ordinal));
    }
    return List.copyOf(devices);
  }

  /**
   * The device at a position.
   *
   * @throws CudaArgumentException where there is no such device
   * @throws CudaUnavailableException where there is no driver or no device
   */
  public static GpuDevice at(int ordinal) {
    List<GpuDevice> devices = all();
    CudaArgumentException.require(
        ordinal >= 0 && ordinal < devices.size(),
        "device %d does not exist, there are %d",
        ordinal,
        devices.size());
    return devices.get(ordinal);
  }

  /**
   * The CUDA version that the installed driver supports, as 1000 × major + 10 × minor.
   *
   * @throws CudaUnavailableException where there is no driver
   */
  public static int driverVersion() {
    Driver.initialize();
    int[] version = new int[1];
    Driver.check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion", null);
    return version[0];
  }

  /** Its UUID as nvidia-smi and CUDA_VISIBLE_DEVICES spell it, such as "GPU-1b22c9d4-...". */
  public String uuidText() {
    return "GPU-" + uuid;
  }

  /**
   * Whether this is a slice of a GPU in MIG mode. The driver has no attribute that says so; it puts
   * the slice's profile into the name, as in "NVIDIA H100 80GB HBM3 MIG 1g.10gb".
   */
  public boolean isMigSlice() {
    return name.contains(" MIG ");
  }

  private static GpuDevice describe(int ordinal) {
    CUdevice device = handle(ordinal);
    byte[] name = new byte[256];
    Driver.check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName", null);
    int nameLength = 0;
    while (nameLength < name.length && name[nameLength] != 0) {
      nameLength++;
    }
    long[] bytes = new long[1];
    Driver.check(JCudaDriver.cuDeviceTotalMem(bytes, device), "cuDeviceTotalMem", null);
    CUuuid uuid = new CUuuid();
    Driver.check(JCudaDriver.cuDeviceGetUuid(uuid, device), "cuDeviceGetUuid", null);
    ByteBuffer uuidBytes = ByteBuffer.wrap(uuid.bytes);
    return new GpuDevice(
        ordinal,
        new String(name, 0, nameLength, StandardCharsets.UTF_8),
        new ComputeCapability(
            attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
            attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device)),
        bytes[0],
        attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
        new UUID(uuidBytes.getLong(), uuidBytes.getLong()));
  }

  private static int attribute(int attribute, CUdevice device) {
    int[] value = new int[1];
    Driver.check(
        JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute", null);
    return value[0];
  }

  /** The driver's own handle of a device. */
  static CUdevice handle(int ordinal) {
    CUdevice device = new CUdevice();
    Driver.check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet", null);
    return device;
  }

  /**
   * Checks that the kernels of this project run on this device.
   *
   * @throws CudaUnavailableException naming the device, where they do not
   */
  public void requireHopper() {
    if (!computeCapability.equals(ComputeCapability.HOPPER)) {
      throw new CudaUnavailableException(
          CudaUnavailableException.Reason.UNSUPPORTED_DEVICE,
          "%s has compute capability %s; the kernels need a Hopper GPU (9.0), such as H100 or H200"
              .formatted(this, computeCapability));
    }
  }

  @Override
  public String toString() {
    return "device %d (%s)".formatted(ordinal, name);
  }
}
