/** The server of dcmjs-dimse's README as a process: `dcmjs-server.ts PORT FOLDER`. What the suite must find fault with. */
import { join } from "node:path";
import dimse from "dcmjs-dimse";

const [, , port = "", folder = ""] = process.argv;
const { CEchoResponse, CStoreResponse } = dimse.responses;
const { PresentationContextResult, SopClass, Status, StorageClass, TransferSyntax } = dimse.constants;
const KNOWN = new Set<string>([
  SopClass.Verification,
  ...Object.values(StorageClass).filter((uid) => uid !== undefined),
]);

class StockScp extends dimse.Scp {
  override associationRequested(association: InstanceType<typeof dimse.association.Association>): void {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      const syntaxes = [...context.getTransferSyntaxUids()];
      const taken = syntaxes.find((uid) =>
        [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian].includes(uid),
      );
      if (!KNOWN.has(context.getAbstractSyntaxUid()))
        context.setResult(PresentationContextResult.RejectAbstractSyntaxNotSupported);
      else if (taken === undefined)
        context.setResult(PresentationContextResult.RejectTransferSyntaxesNotSupported);
      else context.setResult(PresentationContextResult.Accept, taken);
    }
    this.sendAssociationAccept();
  }

  override cEchoRequest(
    request: InstanceType<typeof dimse.requests.CEchoRequest>,
    callback: (response: InstanceType<typeof CEchoResponse>) => void,
  ): void {
    const response = CEchoResponse.fromRequest(request);
    response.setStatus(Status.Success);
    callback(response);
  }

  override cStoreRequest(
    request: InstanceType<typeof dimse.requests.CStoreRequest>,
    callback: (response: InstanceType<typeof CStoreResponse>) => void,
  ): void {
    const name = `${process.hrtime.bigint()}.dcm`;
    request.getDataset()?.toFile(join(folder, name));
    const response = CStoreResponse.fromRequest(request);
    response.setStatus(Status.Success);
    callback(response);
  }

  override associationReleaseRequested(): void {
    this.sendAssociationReleaseResponse();
  }
}

const server = new dimse.Server(StockScp);
server.on("networkError", () => {});
server.listen(Number(port));
