package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.cuda.GpuDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Scanner;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.spark.SparkConf;
import org.apache.spark.resource.ResourceID;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.resource.ResourceRequest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Claims, and the discovery that makes them, between several Java processes. */
class GpuClaimTest {
  private static final int GPUS = 3;

  @TempDir Path folder;

  /** Claims what each line it reads asks for, and says what came of it. */
  static final class Executor {
    public static void main(String[] arguments) {
      Path folder = Path.of(arguments[0]);
      GpuDiscovery discovery = new GpuDiscovery(FakeGpus.hoppers(GPUS));
      List<GpuClaim> claims = new ArrayList<>();
      System.out.println("ready");
      Scanner lines = new Scanner(System.in);
      while (lines.hasNextLine()) {
        String[] words = lines.nextLine().split(" ");
        try {
          switch (words[0]) {
            case "take" ->
                claims.addAll(
                    GpuClaim.take(
                        folder,
                        FakeGpus.hoppers(GPUS).devices(),
                        Integer.parseInt(words[1]),
                        Duration.ZERO));
            case "discover" -> {
              discover(discovery, folder, Integer.parseInt(words[1]));
              System.gc();
            }
            case "close" -> claims.forEach(GpuClaim::close);
            default -> throw new IllegalArgumentException(words[0]);
          }
          System.out.println(
              "holds "
                  + claims.stream()
                      .map(claim -> String.valueOf(claim.device().ordinal()))
                      .collect(Collectors.joining(" ")));
        } catch (GpuRefusedException refused) {
          System.out.println("refused " + refused.getMessage());
        }
      }
    }
  }

  @Test
  void everyGpuGoesToOneOfManyProcesses() throws Exception {
    List<JavaProcess> executors = new ArrayList<>();
    try {
      for (int i = 0; i < GPUS + 2; i++) {
        executors.add(executor());
      }
      for (JavaProcess executor : executors) {
        assertThat(executor.line("ready")).isNotNull();
      }
      for (JavaProcess executor : executors) { // All at once; none is waited for.
        executor.tell("take 1");
      }
      List<String> held = new ArrayList<>();
      int refused = 0;
      for (JavaProcess executor : executors) {
        String answer = executor.line(" ");
        if (answer.startsWith("holds ")) {
          held.add(answer);
        } else {
          assertThat(answer).contains("is claimed by");
          refused++;
        }
      }
      assertThat(held).containsExactlyInAnyOrder("holds 0", "holds 1", "holds 2");
      assertThat(refused).isEqualTo(2);
    } finally {
      for (JavaProcess executor : executors) {
        executor.close();
      }
    }
    assertThat(taken(GPUS)).containsExactly(0, 1, 2);
  }

  @Test
  void namesTheHolderAndIsFreeWhenItDies() throws Exception {
    try (JavaProcess holder = executor()) {
      holder.tell("take 2");
      assertThat(holder.line("holds")).isEqualTo("holds 0 1");
      assertThatThrownBy(() -> GpuClaim.take(folder, List.of(FakeGpus.hopper(1)), 1, Duration.ZERO))
          .isInstanceOf(GpuRefusedException.class)
          .hasMessage(
              "GPU-face0000-0000-0000-0000-000000000001 (device 1, NVIDIA H200) is claimed by"
                  + " process "
                  + holder.pid()
                  + ": end that, use another GPU, or set spark.mla.backend=cpu");
      assertThat(taken(1)).containsExactly(2);
      assertThatThrownBy(() -> taken(2)).hasMessageContainingAll("device 0", "device 1");
      assertThat(taken(1)).as("what a refused attempt holds").containsExactly(2);
    }
    assertThat(taken(GPUS)).containsExactly(0, 1, 2);
  }

  @Test
  void waitsForTheHolderToEnd() throws Exception {
    CompletableFuture<List<GpuClaim>> patient;
    try (JavaProcess holder = executor()) {
      holder.tell("take 3");
      assertThat(holder.line("holds")).isEqualTo("holds 0 1 2");
      patient =
          CompletableFuture.supplyAsync(
              () -> GpuClaim.take(folder, List.of(FakeGpus.hopper(1)), 1, Duration.ofMinutes(2)));
    }
    List<GpuClaim> claims = patient.get(2, TimeUnit.MINUTES);
    assertThat(claims).singleElement().returns(FakeGpus.hopper(1).uuidText(), GpuClaimTest::uuid);
    claims.forEach(GpuClaim::close);
  }

  private static String uuid(GpuClaim claim) {
    return claim.device().uuidText();
  }

  @Test
  void discoveryClaimsForItsExecutorUntilTheEnd() throws Exception {
    try (JavaProcess first = executor();
        JavaProcess second = executor()) {
      first.tell("discover 2");
      assertThat(first.line("holds")).isEqualTo("holds ");
      second.tell("discover 2");
      assertThat(second.line("refused"))
          .contains("device 0", "device 1", "process " + first.pid())
          .doesNotContain("device 2");
      // The plugin of the same process takes them over, and others stay out, closed or not.
      first.tell("take 2");
      assertThat(first.line("holds")).isEqualTo("holds 0 1");
      first.tell("close");
      assertThat(first.line("holds")).isNotNull();
      second.tell("discover 1");
      assertThat(second.line("holds")).isNotNull();
      assertThatThrownBy(() -> taken(1))
          .hasMessageContainingAll("process " + first.pid(), "process " + second.pid());
    }
    assertThat(taken(GPUS)).containsExactly(0, 1, 2);
  }

  @Test
  void refusesASecondClaimOfTheSameProcess() {
    List<GpuClaim> claims = GpuClaim.take(folder, List.of(FakeGpus.hopper(0)), 1, Duration.ZERO);
    try {
      assertThatThrownBy(() -> taken(GPUS)).hasMessageContaining("is claimed by this process");
    } finally {
      claims.forEach(GpuClaim::close);
    }
    assertThat(taken(GPUS)).containsExactly(0, 1, 2);
  }

  @Test
  void anyUserMayLockTheFile() throws Exception {
    taken(1);
    try (var files = Files.list(folder)) {
      assertThat(files)
          .singleElement()
          .satisfies(
              file -> {
                assertThat(file.getFileName())
                    .hasToString("spark-mla-GPU-face0000-0000-0000-0000-000000000000.lock");
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                    .isEqualTo("rw-rw-rw-");
              });
    }
  }

  @Test
  void saysWhichFolderCannotBeUsed() throws Exception {
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(() -> GpuClaim.take(file, List.of(FakeGpus.hopper(0)), 1, Duration.ZERO))
        .isInstanceOf(GpuRefusedException.class)
        .hasMessageContainingAll("cannot be claimed", file.toString(), "spark.mla.gpu.lockDir");
  }

  @Test
  void tellsAWorkerOfAllHopperGpusAndClaimsNone() {
    GpuDiscovery discovery =
        new GpuDiscovery(
            FakeGpus.of(
                FakeGpus.ampere(0), FakeGpus.hopper(1), FakeGpus.slice(2), FakeGpus.hopper(3)));
    ResourceInformation found =
        discovery.discoverResource(request("spark.worker", "gpu", 1), conf(folder)).orElseThrow();
    assertThat(found.name()).isEqualTo("gpu");
    assertThat(found.addresses())
        .containsExactly(FakeGpus.hopper(1).uuidText(), FakeGpus.hopper(3).uuidText());
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void leavesTheAnswerToOthersWhereThereAreNone() {
    assertThat(
            new GpuDiscovery(FakeGpus.of(FakeGpus.ampere(0)))
                .discoverResource(request("spark.executor", "gpu", 1), conf(folder)))
        .isEmpty();
    assertThat(
            new GpuDiscovery(FakeGpus.hoppers(1))
                .discoverResource(request("spark.executor", "fpga", 1), conf(folder)))
        .isEmpty();
  }

  @Test
  void refusesAnExecutorMoreThanThereAre() {
    assertThatThrownBy(
            () ->
                new GpuDiscovery(FakeGpus.hoppers(1))
                    .discoverResource(request("spark.executor", "gpu", 2), conf(folder)))
        .isInstanceOf(GpuRefusedException.class)
        .hasMessage("2 GPUs are asked for, and there are 1: ask for fewer");
  }

  /** Which of the free ones so many claims get; they are given up at once. */
  private List<Integer> taken(int count) {
    List<GpuClaim> claims =
        GpuClaim.take(folder, FakeGpus.hoppers(GPUS).devices(), count, Duration.ZERO);
    claims.forEach(GpuClaim::close);
    return claims.stream().map(GpuClaim::device).map(GpuDevice::ordinal).toList();
  }

  private JavaProcess executor() throws Exception {
    return new JavaProcess(Map.of(), List.of(), Executor.class.getName(), folder.toString());
  }

  private static void discover(GpuDiscovery discovery, Path folder, int count) {
    ResourceInformation found =
        discovery
            .discoverResource(request("spark.executor", "gpu", count), conf(folder))
            .orElseThrow();
    if (found.addresses().length != count) {
      throw new IllegalStateException(Arrays.toString(found.addresses()));
    }
  }

  private static SparkConf conf(Path folder) {
    return new SparkConf(false).set("spark.mla.gpu.lockDir", folder.toString());
  }

  private static ResourceRequest request(String component, String resource, int amount) {
    return new ResourceRequest(
        new ResourceID(component, resource), amount, Optional.empty(), Optional.empty());
  }
}
