// What a server says of itself: the descriptors of its services, over gRPC server reflection.
//
// Knows no service but grpc.reflection.v1alpha (what gRPC before 1.54 serves), whose few messages are
// written down here as in the gRPC repository; everything else comes from the server.
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const OPTIONS = { longs: Number, enums: String, defaults: false, oneofs: true };

// grpc/reflection/v1alpha/reflection.proto, as protobufjs' JSON has it.
const REFLECTION_MESSAGES = {
  ServerReflection: {
    methods: {
      ServerReflectionInfo: {
        requestType: "ServerReflectionRequest",
        requestStream: true,
        responseType: "ServerReflectionResponse",
        responseStream: true,
      },
    },
  },
  ServerReflectionRequest: {
    oneofs: { messageRequest: { oneof: ["fileContainingSymbol", "listServices"] } },
    fields: {
      fileContainingSymbol: { type: "string", id: 4 },
      listServices: { type: "string", id: 7 },
    },
  },
  ServerReflectionResponse: {
    fields: {
      fileDescriptorResponse: { type: "FileDescriptorResponse", id: 4 },
      listServicesResponse: { type: "ListServiceResponse", id: 6 },
      errorResponse: { type: "ErrorResponse", id: 7 },
    },
  },
  FileDescriptorResponse: { fields: { fileDescriptorProto: { rule: "repeated", type: "bytes", id: 1 } } },
  ListServiceResponse: { fields: { service: { rule: "repeated", type: "ServiceResponse", id: 1 } } },
  ServiceResponse: { fields: { name: { type: "string", id: 1 } } },
  ErrorResponse: { fields: { errorCode: { type: "int32", id: 1 }, errorMessage: { type: "string", id: 2 } } },
};
const REFLECTION = {
  nested: { grpc: { nested: { reflection: { nested: { v1alpha: { nested: REFLECTION_MESSAGES } } } } } },
};

// One stream; each ask() waits for its answer.
class Reflection {
  constructor(address, credentials) {
    const loaded = grpc.loadPackageDefinition(protoLoader.fromJSON(REFLECTION, OPTIONS));
    this.client = new loaded.grpc.reflection.v1alpha.ServerReflection(address, credentials);
    this.stream = this.client.ServerReflectionInfo();
    this.waiting = [];
    this.stream.on("data", (response) => this.waiting.shift().resolve(response));
    this.stream.on("error", (error) => this.waiting.splice(0).forEach((one) => one.reject(error)));
  }

  async ask(request) {
    const answer = new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    this.stream.write(request);
    const response = await answer;
    if (response.errorResponse) throw new Error(response.errorResponse.errorMessage);
    return response;
  }

  close() {
    this.stream.end();
    this.client.close();
  }
}

// A length-delimited field of a message: tag and length in front of the bytes.
function asField(tag, bytes) {
  const head = [tag];
  let length = bytes.length;
  for (; length > 127; length = Math.floor(length / 128)) head.push((length % 128) + 128);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

// Every service of the server: their names, and the stubs of all but those of gRPC itself.
export async function discover(address, credentials) {
  const reflection = new Reflection(address, credentials);
  const listed = await reflection.ask({ listServices: "*" });
  const services = listed.listServicesResponse.service.map((one) => one.name);
  // A server answers a symbol with its file and all that this one imports.
  const files = new Map();
  for (const service of services) {
    // gRPC for C++ lists its own health service, of which it has no descriptor.
    if (service.startsWith("grpc.")) continue;
    const { fileDescriptorResponse } = await reflection.ask({ fileContainingSymbol: service });
    for (const file of fileDescriptorResponse.fileDescriptorProto) {
      files.set(Buffer.from(file).toString("base64"), Buffer.from(file));
    }
  }
  reflection.close();
  // FileDescriptorSet { repeated FileDescriptorProto file = 1; }
  const set = Buffer.concat([...files.values()].map((file) => asField(0x0a, file)));
  const definition = protoLoader.loadFileDescriptorSetFromBuffer(set, OPTIONS);
  return { services, api: grpc.loadPackageDefinition(definition) };
}
