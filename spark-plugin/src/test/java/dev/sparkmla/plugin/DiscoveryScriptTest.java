package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** bin/discover-gpus, with an nvidia-smi that answers for a host of our own. */
class DiscoveryScriptTest {
  private static final String HOST =
      """
      GPU-aaaa0000-0000-0000-0000-000000000000, 9.0, Disabled, NVIDIA H200
      GPU-bbbb0000-0000-0000-0000-000000000001, 8.0, [N/A], NVIDIA A100-SXM4-80GB
      GPU-cccc0000-0000-0000-0000-000000000002, 9.0, Enabled, NVIDIA H100 80GB HBM3
      GPU-cccd0000-0000-0000-0000-000000000003, 9.0, Disabled, NVIDIA H100 80GB HBM3
      """;

  @TempDir Path folder;

  private record Answer(int code, String out, String err) {}

  @ParameterizedTest
  @CsvSource({
    "all, 0 3",
    "'3,0', 0 3",
    "0, 0",
    "' 3 ,9,0', 3",
    "'GPU-cccd,1,GPU-aaaa0000-0000-0000-0000-000000000000', 0 3",
    "'0,GPU-ccc,3', 0",
    "'MIG-cccc,3', 3",
  })
  void printsHopperGpusThatAreShown(String visible, String expected) throws Exception {
    nvidiaSmi(HOST, 0);
    Answer answer = run(visible);
    assertThat(answer.code()).as(answer.err()).isZero();
    JsonNode json = new ObjectMapper().readTree(answer.out());
    assertThat(json.get("name").textValue()).isEqualTo("gpu");
    List<String> addresses = new ArrayList<>();
    json.get("addresses").forEach(address -> addresses.add(address.textValue()));
    assertThat(addresses)
        .isEqualTo(
            List.of(expected.split(" ")).stream()
                .map(number -> HOST.lines().toList().get(Integer.parseInt(number)).split(",")[0])
                .toList());
  }

  @ParameterizedTest
  @CsvSource({"-1", "''", "'GPU-ccc,0'", "1", "2"})
  void failsWhereNoneIsShown(String visible) throws Exception {
    nvidiaSmi(HOST, 0);
    Answer answer = run(visible);
    assertThat(answer.code()).isEqualTo(1);
    assertThat(answer.out()).isEmpty();
    assertThat(answer.err()).endsWith("discover-gpus: no Hopper GPU to use on this host\n");
  }

  @Test
  void saysWhyAGpuIsLeftOut() throws Exception {
    nvidiaSmi(HOST, 0);
    assertThat(run("all").err())
        .contains("GPU-bbbb0000-0000-0000-0000-000000000001 (NVIDIA A100-SXM4-80GB): its compute")
        .contains("nvidia-smi -i GPU-cccc0000-0000-0000-0000-000000000002 -mig 0");
    assertThat(run("3").err())
        .contains("GPU-aaaa0000-0000-0000-0000-000000000000 (NVIDIA H200): CUDA_VISIBLE_DEVICES");
  }

  @Test
  void saysThatTheDriverIsMissingOrFails() throws Exception {
    Answer missing = run("all");
    assertThat(missing.code()).isEqualTo(1);
    assertThat(missing.err()).contains("no nvidia-smi on PATH: install the NVIDIA driver");
    nvidiaSmi("NVIDIA-SMI has failed\n", 9);
    Answer failing = run("all");
    assertThat(failing.code()).isEqualTo(1);
    assertThat(failing.err()).contains("nvidia-smi fails: NVIDIA-SMI has failed");
  }

  private void nvidiaSmi(String output, int code) throws Exception {
    Path tool = folder.resolve("nvidia-smi");
    Files.writeString(tool, "#!/bin/sh\ncat <<'GPUS'\n" + output + "GPUS\nexit " + code + "\n");
    Files.setPosixFilePermissions(tool, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Answer run(String visible) throws Exception {
    for (String tool : List.of("awk", "cat", "sh")) {
      Path link = folder.resolve(tool);
      if (Files.notExists(link)) {
        Files.createSymbolicLink(link, which(tool));
      }
    }
    Path errors = folder.resolve("stderr");
    ProcessBuilder builder =
        new ProcessBuilder("/bin/sh", Path.of("..", "bin", "discover-gpus").toString())
            .redirectError(errors.toFile());
    builder.environment().put("PATH", folder.toString());
    builder.environment().remove("CUDA_VISIBLE_DEVICES");
    if (!visible.equals("all")) {
      builder.environment().put("CUDA_VISIBLE_DEVICES", visible);
    }
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Answer(process.waitFor(), out, Files.readString(errors));
  }

  private static Path which(String tool) {
    return List.of(System.getenv("PATH").split(":")).stream()
        .map(path -> Path.of(path, tool))
        .filter(Files::isExecutable)
        .findFirst()
        .orElseThrow();
  }
}
