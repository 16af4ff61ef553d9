package dev.sparkmla.plugin;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.cuda.GpuDevice;
import java.util.List;

/** The GPUs that an executor sees, and what computes on them. */
interface GpuHost {
  /** The GPUs of this machine, through the CUDA driver. */
  GpuHost OF_THIS_MACHINE =
      new GpuHost() {
        @Override
        public List<GpuDevice> devices() {
          return GpuDevice.all();
        }

        @Override
        public ComputeBackend open(GpuDevice device) {
          return ComputeBackends.cuda(device);
        }
      };

  /**
   * The devices, in the order of their ordinals; never empty.
   *
   * @throws dev.sparkmla.cuda.CudaUnavailableException where there is no driver or no device
   */
  List<GpuDevice> devices();

  /** A backend on one of the devices; whoever asked for it closes it. */
  ComputeBackend open(GpuDevice device);
}
