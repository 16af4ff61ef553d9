package dev.sparkmla.plugin;

import dev.sparkmla.cuda.GpuDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A GPU that no other executor of this host takes: an exclusive lock on a file named after its
 * UUID.
 *
 * <p><b>Ends.</b> With {@link #close}, or when the process ends, however it does: the operating
 * system releases the lock. The file stays. It holds the number of the process that locked it last,
 * for messages alone.
 *
 * <p><b>One process.</b> Java refuses a second lock on a file within a process, and closing any
 * channel of a file gives up every lock that the process has on it. So what this process has
 * claimed is on record in its system properties, and a claimed file is never opened again. They are
 * used because Spark may load the discovery plugin and the executor's plugin by different class
 * loaders, which share no static field.
 */
final class GpuClaim implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(GpuClaim.class);
  private static final Duration RETRY = Duration.ofMillis(500);
  private static final String RECORD = "spark.mla.gpu.claim.";
  private static final String TAKEN = "taken";
  private static final String KEPT = "kept";
  private static final Set<OpenOption> OPEN =
      Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);

  private final GpuDevice device;

  /** Holds the lock; null where this process has kept one since discovery. */
  private final FileChannel channel;

  private GpuClaim(GpuDevice device, FileChannel channel) {
    this.device = device;
    this.channel = channel;
  }

  /**
   * Claims the first free ones.
   *
   * @param folder where the lock files lie; made where it is missing
   * @param devices to choose from
   * @param count how many
   * @param patience how long to wait for processes to end that hold them: Spark gives a GPU to a
   *     new executor as soon as the one before is told to end
   * @throws GpuRefusedException where fewer are free: it names the others, and holds none then
   */
  static List<GpuClaim> take(Path folder, List<GpuDevice> devices, int count, Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (true) {
      try {
        return take(folder, devices, count);
      } catch (GpuRefusedException refused) {
        if (!refused.mayEnd() || System.nanoTime() >= deadline) {
          throw refused;
        }
        LOGGER.info("Waiting for a GPU: {}", refused.getMessage());
        LockSupport.parkNanos(RETRY.toNanos());
        if (Thread.currentThread().isInterrupted()) {
          throw refused;
        }
      }
    }
  }

  private static List<GpuClaim> take(Path folder, List<GpuDevice> devices, int count) {
    List<GpuClaim> claims = new ArrayList<>();
    List<GpuRefusedException> refusals = new ArrayList<>();
    for (GpuDevice device : devices) {
      if (claims.size() < count) {
        try {
          claims.add(take(folder, device));
        } catch (GpuRefusedException refused) {
          refusals.add(refused);
        }
      }
    }
    if (claims.size() < count) {
      claims.forEach(GpuClaim::close);
      throw refusals.isEmpty()
          ? new GpuRefusedException(
              "%d GPUs are asked for, and there are %d: ask for fewer"
                  .formatted(count, devices.size()))
          : GpuRefusedException.all(refusals);
    }
    return claims;
  }

  private static GpuClaim take(Path folder, GpuDevice device) {
    String record = RECORD + device.uuidText();
    Object earlier = System.getProperties().putIfAbsent(record, TAKEN);
    if (KEPT.equals(earlier)) {
      return new GpuClaim(device, null);
    }
    if (earlier != null) {
      throw claimed(device, "this process", false);
    }
    try {
      return new GpuClaim(device, lock(folder, device));
    } catch (RuntimeException problem) {
      System.clearProperty(record);
      throw problem;
    }
  }

  private static FileChannel lock(Path folder, GpuDevice device) {
    Path file = folder.resolve("spark-mla-" + device.uuidText() + ".lock");
    try {
      Files.createDirectories(folder);
      FileChannel channel = open(file);
      try {
        if (channel.tryLock() == null) {
          throw claimed(device, holder(channel), true);
        }
        channel.truncate(0);
        channel.write(
            StandardCharsets.US_ASCII.encode(String.valueOf(ProcessHandle.current().pid())), 0);
        return channel;
      } catch (IOException | RuntimeException problem) {
        channel.close();
        throw problem;
      }
    } catch (IOException problem) {
      throw new GpuRefusedException(
          "%s cannot be claimed, its lock file fails: %s; set %s to a folder that all executors of this host may write to"
              .formatted(GpuRefusedException.name(device), problem, MlaConf.GPU_LOCK_DIR.key()),
          problem);
    }
  }

  /**
   * Opens the file, which any user of this host may lock. It is opened before it is made: Linux
   * (fs.protected_regular) refuses to make another user's file in a folder like /tmp, even where it
   * is there.
   */
  private static FileChannel open(Path file) throws IOException {
    try {
      return FileChannel.open(file, OPEN);
    } catch (NoSuchFileException missing) {
      try {
        Files.createFile(file);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
      } catch (FileAlreadyExistsException another) {
        // Made by another process in this moment, and as good.
      }
      return FileChannel.open(file, OPEN);
    }
  }

  /** Who holds the lock, as far as the file tells. */
  private static String holder(FileChannel channel) throws IOException {
    ByteBuffer text = ByteBuffer.allocate(20);
    channel.read(text, 0);
    String number = StandardCharsets.US_ASCII.decode(text.flip()).toString();
    // The holder may not have written yet, or be in a container that numbers processes otherwise.
    return number.matches("[0-9]{1,18}") && ProcessHandle.of(Long.parseLong(number)).isPresent()
        ? "process " + number
        : "another process";
  }

  private static GpuRefusedException claimed(GpuDevice device, String holder, boolean mayEnd) {
    return new GpuRefusedException(
        "%s is claimed by %s: end that, use another GPU, or set %s=cpu"
            .formatted(GpuRefusedException.name(device), holder, MlaConf.BACKEND.key()),
        mayEnd);
  }

  /** The GPU. */
  GpuDevice device() {
    return device;
  }

  /**
   * Keeps the GPU locked until this process ends. The process itself may claim it again; closing
   * that claim does not unlock the GPU.
   */
  void keep() {
    System.setProperty(RECORD + device.uuidText(), KEPT);
    // A channel that nothing refers to is closed. A hook is referred to until the end, by which
    // the operating system closes the channel, after all that this process does on the GPU.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> Reference.reachabilityFence(channel)));
  }

  /** Gives the GPU up. */
  @Override
  public void close() {
    if (channel == null) {
      return;
    }
    try {
      channel.close();
    } catch (IOException problem) {
      throw new UncheckedIOException(
          "the claim on " + GpuRefusedException.name(device) + " cannot be given up", problem);
    } finally {
      System.clearProperty(RECORD + device.uuidText());
    }
  }
}
