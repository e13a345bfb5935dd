// Written by `npm run schemas` from the .proto files. Change those, and run it again.

/** proto/maekawa/v1/locks.proto */
export const locksSchema = {
  "nested": {
    "maekawa": {
      "nested": {
        "v1": {
          "nested": {
            "Locks": {
              "methods": {
                "Hold": {"requestType":"HoldRequest","requestStream":true,"responseType":"HoldEvent","responseStream":true},
                "Session": {"requestType":"ClientFrame","requestStream":true,"responseType":"NodeFrame","responseStream":true},
                "Query": {"requestType":"QueryRequest","responseType":"QueryReply"},
                "Watch": {"requestType":"WatchRequest","responseType":"WatchEvent","responseStream":true},
                "Observe": {"requestType":"ObserveRequest","responseType":"ObserveEvent","responseStream":true},
                "Status": {"requestType":"StatusRequest","responseType":"StatusReply"},
              },
            },
            "LockMode": {"values":{"LOCK_MODE_UNSPECIFIED":0,"LOCK_MODE_EXCLUSIVE":1,"LOCK_MODE_SHARED":2}},
            "HoldRequest": {
              "oneofs": {"kind":{"oneof":["acquire","ping"]}},
              "fields": {"acquire":{"type":"Acquire","id":1},"ping":{"type":"Ping","id":2}},
            },
            "Acquire": {
              "oneofs": {"name":{"oneof":["lock"]},"patience":{"oneof":["wait_ms"]},"limit":{"oneof":["max_hold_ms"]}},
              "fields": {
                "lock": {"type":"bytes","id":1},
                "mode": {"type":"LockMode","id":2},
                "wait_ms": {"type":"uint32","id":3},
                "pings": {"type":"bool","id":4},
                "sent_at_ms": {"type":"double","id":5},
                "steal": {"type":"bool","id":6},
                "label": {"type":"string","id":7},
                "if_available": {"type":"bool","id":8},
                "max_hold_ms": {"type":"uint32","id":9},
                "at_least_ms": {"type":"uint32","id":10},
                "keep": {"type":"bool","id":11},
                "pass": {"type":"bool","id":12},
              },
            },
            "Ping": {"fields":{"sent_at_ms":{"type":"double","id":1}}},
            "HoldEvent": {
              "oneofs": {"kind":{"oneof":["queued","held","valid","ended"]}},
              "fields": {
                "queued": {"type":"Queued","id":1},
                "held": {"type":"Held","id":2},
                "valid": {"type":"Valid","id":3},
                "ended": {"type":"Ended","id":4},
              },
            },
            "Queued": {"fields":{"lease_ms":{"type":"uint32","id":1},"ahead":{"rule":"repeated","type":"string","id":2}}},
            "Held": {
              "fields": {
                "token": {"type":"uint64","id":1},
                "valid_for_ms": {"type":"uint32","id":2},
                "sent_at_ms": {"type":"double","id":3},
                "lease_ms": {"type":"uint32","id":4},
              },
            },
            "Valid": {"fields":{"valid_for_ms":{"type":"uint32","id":1},"sent_at_ms":{"type":"double","id":2}}},
            "Ended": {
              "fields": {
                "reason": {"type":"Reason","id":1},
                "message": {"type":"string","id":2},
                "definite": {"type":"bool","id":3},
              },
              "nested": {
                "Reason": {
                  "values": {
                    "REASON_UNSPECIFIED": 0,
                    "REASON_TIMEOUT": 1,
                    "REASON_NO_QUORUM": 2,
                    "REASON_LOST": 3,
                    "REASON_CLOSED": 4,
                    "REASON_CONFIG": 5,
                    "REASON_STOLEN": 6,
                    "REASON_RELEASED": 7,
                    "REASON_EXPIRED": 8,
                    "REASON_UNAVAILABLE": 9,
                  },
                },
              },
            },
            "ClientFrame": {
              "fields": {
                "hello": {"type":"SessionHello","id":1},
                "sent_at_ms": {"type":"double","id":2},
                "releases": {"rule":"repeated","type":"uint64","id":3},
                "acquires": {"rule":"repeated","type":"SessionAcquire","id":4},
                "spent": {"rule":"repeated","type":"SessionSpent","id":5},
                "in_use": {"rule":"repeated","type":"uint64","id":6},
              },
            },
            "SessionSpent": {"fields":{"id":{"type":"uint64","id":1},"token":{"type":"uint64","id":2}}},
            "SessionHello": {
              "fields": {
                "session": {"type":"bytes","id":1},
                "secret": {"type":"bytes","id":2},
                "stream": {"type":"uint64","id":3},
                "keep": {"rule":"repeated","type":"uint64","id":4},
              },
            },
            "SessionAcquire": {"fields":{"id":{"type":"uint64","id":1},"acquire":{"type":"Acquire","id":2}}},
            "NodeFrame": {
              "oneofs": {"all":{"oneof":["all_valid_for_ms"]}},
              "fields": {
                "welcome": {"type":"SessionWelcome","id":1},
                "sent_at_ms": {"type":"double","id":2},
                "queued": {"rule":"repeated","type":"SessionQueued","id":3},
                "held": {"rule":"repeated","type":"SessionHeld","id":4},
                "valid": {"rule":"repeated","type":"SessionValid","id":5},
                "ended": {"rule":"repeated","type":"SessionEnded","id":6},
                "all_valid_for_ms": {"type":"uint32","id":7},
                "no_quorum": {"type":"bool","id":8},
                "wanted": {"rule":"repeated","type":"uint64","id":9},
              },
            },
            "SessionWelcome": {"fields":{"resumed":{"type":"bool","id":1},"lease_ms":{"type":"uint32","id":2}}},
            "SessionEnded": {"fields":{"id":{"type":"uint64","id":1},"ended":{"type":"Ended","id":2}}},
            "SessionQueued": {"fields":{"id":{"type":"uint64","id":1},"ahead":{"rule":"repeated","type":"string","id":2}}},
            "SessionHeld": {
              "fields": {
                "id": {"type":"uint64","id":1},
                "token": {"type":"uint64","id":2},
                "valid_for_ms": {"type":"uint32","id":3},
                "room_until": {"type":"uint64","id":4},
                "pass_to": {"rule":"repeated","type":"uint64","id":5},
              },
            },
            "SessionValid": {"fields":{"id":{"type":"uint64","id":1},"valid_for_ms":{"type":"uint32","id":2}}},
            "QueryRequest": {
              "oneofs": {"name":{"oneof":["lock"]}},
              "fields": {
                "cluster": {"type":"bool","id":1},
                "page_token": {"type":"string","id":2},
                "page_bytes": {"type":"uint32","id":3},
                "lock": {"type":"bytes","id":4},
              },
            },
            "QueryReply": {
              "fields": {
                "held": {"rule":"repeated","type":"LockInfo","id":1},
                "pending": {"rule":"repeated","type":"LockInfo","id":2},
                "unanswered": {"rule":"repeated","type":"string","id":3},
                "next_page_token": {"type":"string","id":4},
              },
            },
            "LockInfo": {
              "fields": {
                "lock": {"type":"bytes","id":1},
                "mode": {"type":"LockMode","id":2},
                "client_id": {"type":"string","id":3},
                "label": {"type":"string","id":4},
                "token": {"type":"uint64","id":5},
                "for_ms": {"type":"uint64","id":6},
                "kept_for_ms": {"type":"uint64","id":7},
              },
            },
            "WatchRequest": {"oneofs":{"name":{"oneof":["lock"]}},"fields":{"lock":{"type":"bytes","id":1}}},
            "WatchEvent": {
              "fields": {"change":{"type":"Change","id":1},"lock":{"type":"LockInfo","id":2}},
              "nested": {
                "Change": {
                  "values": {"CHANGE_UNSPECIFIED":0,"CHANGE_HELD":1,"CHANGE_RELEASED":2,"CHANGE_LOST":3,"CHANGE_MISSED":4},
                },
              },
            },
            "ObserveRequest": {"oneofs":{"name":{"oneof":["lock"]}},"fields":{"lock":{"type":"bytes","id":1}}},
            "ObserveEvent": {"fields":{"leader":{"type":"Leader","id":1}}},
            "Leader": {
              "fields": {
                "client_id": {"type":"string","id":1},
                "label": {"type":"string","id":2},
                "token": {"type":"uint64","id":3},
              },
            },
            "StatusRequest": {"fields":{"page_token":{"type":"string","id":1}}},
            "StatusReply": {
              "fields": {
                "node": {"type":"string","id":1},
                "cluster": {"type":"string","id":2},
                "digest": {"type":"string","id":3},
                "uptime_ms": {"type":"uint64","id":4},
                "clock": {"type":"uint64","id":5},
                "peers": {"rule":"repeated","type":"PeerStatus","id":6},
                "locks": {"rule":"repeated","type":"LockStatus","id":7},
                "sent": {"rule":"repeated","type":"Count","id":8},
                "received": {"rule":"repeated","type":"Count","id":9},
                "ignored": {"rule":"repeated","type":"Count","id":10},
                "entries": {"type":"uint64","id":11},
                "layout": {"type":"string","id":12},
                "notices": {"rule":"repeated","type":"string","id":13},
                "version": {"type":"string","id":14},
                "state": {"type":"NodeState","id":15},
                "rests_on_wall_clocks": {"type":"bool","id":16},
                "next_page_token": {"type":"string","id":17},
              },
            },
            "NodeState": {
              "fields": {
                "kind": {"type":"Kind","id":1},
                "serves_locks": {"type":"bool","id":2},
                "lends_vote": {"type":"bool","id":3},
                "for_ms": {"type":"uint64","id":4},
                "text": {"type":"string","id":5},
              },
              "nested": {
                "Kind": {
                  "values": {
                    "KIND_UNSPECIFIED": 0,
                    "KIND_READY": 1,
                    "KIND_SILENT": 2,
                    "KIND_NO_QUORUM": 3,
                    "KIND_CANNOT_WRITE": 4,
                    "KIND_STOPPING": 5,
                  },
                },
              },
            },
            "Count": {"fields":{"of":{"type":"string","id":1},"count":{"type":"uint64","id":2}}},
            "PeerStatus": {
              "fields": {
                "node": {"type":"string","id":1},
                "address": {"type":"string","id":2},
                "up": {"type":"bool","id":3},
                "reason": {"type":"string","id":4},
              },
            },
            "LockStatus": {
              "fields": {
                "lock": {"type":"bytes","id":1},
                "grants": {"rule":"repeated","type":"VoteStatus","id":2},
                "queue": {"rule":"repeated","type":"VoteStatus","id":3},
                "callers": {"type":"CallersStatus","id":4},
                "more_grants": {"type":"uint32","id":5},
                "more_queue": {"type":"uint32","id":6},
              },
            },
            "VoteStatus": {
              "fields": {
                "node": {"type":"string","id":1},
                "timestamp": {"type":"uint64","id":2},
                "mode": {"type":"LockMode","id":3},
              },
            },
            "CallersStatus": {
              "fields": {
                "state": {"type":"State","id":1},
                "inside": {"type":"uint32","id":2},
                "waiting": {"type":"uint32","id":3},
                "token": {"type":"uint64","id":4},
                "valid_for_ms": {"type":"uint32","id":5},
              },
              "nested": {
                "State": {
                  "values": {
                    "STATE_UNSPECIFIED": 0,
                    "STATE_IDLE": 1,
                    "STATE_WAITING": 2,
                    "STATE_HELD": 3,
                    "STATE_RETAINED": 4,
                    "STATE_RECALLED": 5,
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};

/** grpc-health-check/proto/health/v1/health.proto */
export const healthSchema = {
  "nested": {
    "grpc": {
      "nested": {
        "health": {
          "nested": {
            "v1": {
              "options": {
                "csharp_namespace": "Grpc.Health.V1",
                "go_package": "google.golang.org/grpc/health/grpc_health_v1",
                "java_multiple_files": true,
                "java_outer_classname": "HealthProto",
                "java_package": "io.grpc.health.v1",
              },
              "nested": {
                "HealthListRequest": {"fields":{}},
                "HealthListResponse": {"fields":{"statuses":{"keyType":"string","type":"HealthCheckResponse","id":1}}},
                "HealthCheckRequest": {"fields":{"service":{"type":"string","id":1}}},
                "HealthCheckResponse": {
                  "fields": {"status":{"type":"ServingStatus","id":1}},
                  "nested": {"ServingStatus":{"values":{"UNKNOWN":0,"SERVING":1,"NOT_SERVING":2,"SERVICE_UNKNOWN":3}}},
                },
                "Health": {
                  "methods": {
                    "Check": {"requestType":"HealthCheckRequest","responseType":"HealthCheckResponse"},
                    "Watch": {"requestType":"HealthCheckRequest","responseType":"HealthCheckResponse","responseStream":true},
                    "List": {"requestType":"HealthListRequest","responseType":"HealthListResponse"},
                  },
                },
              },
            },
          },
        },
      },
    },
  },
};

/** @grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto */
export const reflectionSchema = {
  "nested": {
    "grpc": {
      "nested": {
        "reflection": {
          "nested": {
            "v1": {
              "options": {
                "go_package": "google.golang.org/grpc/reflection/grpc_reflection_v1",
                "java_multiple_files": true,
                "java_package": "io.grpc.reflection.v1",
                "java_outer_classname": "ServerReflectionProto",
              },
              "nested": {
                "ServerReflection": {
                  "methods": {
                    "ServerReflectionInfo": {
                      "requestType": "ServerReflectionRequest",
                      "requestStream": true,
                      "responseType": "ServerReflectionResponse",
                      "responseStream": true,
                    },
                  },
                },
                "ServerReflectionRequest": {
                  "oneofs": {
                    "message_request": {
                      "oneof": ["file_by_filename","file_containing_symbol","file_containing_extension","all_extension_numbers_of_type","list_services"],
                    },
                  },
                  "fields": {
                    "host": {"type":"string","id":1},
                    "file_by_filename": {"type":"string","id":3},
                    "file_containing_symbol": {"type":"string","id":4},
                    "file_containing_extension": {"type":"ExtensionRequest","id":5},
                    "all_extension_numbers_of_type": {"type":"string","id":6},
                    "list_services": {"type":"string","id":7},
                  },
                },
                "ExtensionRequest": {"fields":{"containing_type":{"type":"string","id":1},"extension_number":{"type":"int32","id":2}}},
                "ServerReflectionResponse": {
                  "oneofs": {
                    "message_response": {
                      "oneof": ["file_descriptor_response","all_extension_numbers_response","list_services_response","error_response"],
                    },
                  },
                  "fields": {
                    "valid_host": {"type":"string","id":1},
                    "original_request": {"type":"ServerReflectionRequest","id":2},
                    "file_descriptor_response": {"type":"FileDescriptorResponse","id":4},
                    "all_extension_numbers_response": {"type":"ExtensionNumberResponse","id":5},
                    "list_services_response": {"type":"ListServiceResponse","id":6},
                    "error_response": {"type":"ErrorResponse","id":7},
                  },
                },
                "FileDescriptorResponse": {"fields":{"file_descriptor_proto":{"rule":"repeated","type":"bytes","id":1}}},
                "ExtensionNumberResponse": {
                  "fields": {
                    "base_type_name": {"type":"string","id":1},
                    "extension_number": {"rule":"repeated","type":"int32","id":2},
                  },
                },
                "ListServiceResponse": {"fields":{"service":{"rule":"repeated","type":"ServiceResponse","id":1}}},
                "ServiceResponse": {"fields":{"name":{"type":"string","id":1}}},
                "ErrorResponse": {"fields":{"error_code":{"type":"int32","id":1},"error_message":{"type":"string","id":2}}},
              },
            },
          },
        },
      },
    },
  },
};

/** The same as an encoded FileDescriptorProto. */
export const locksDescriptor = 'ChBtYWVrYXdhX3YxLnByb3RvEgptYWVrYXdhLnYxIkcKC0hvbGRSZXF1ZXN0EhoKB2FjcXVpcmUYASABKAsyB0FjcXVpcmVIABIUCgRwaW5nGAIgASgLMgRQaW5nSABCBgoEa2luZCKAAgoHQWNxdWlyZRIOCgRsb2NrGAEgASgMSAASFgoEbW9kZRgCIAEoDjIITG9ja01vZGUSEQoHd2FpdF9tcxgDIAEoDUgBEg0KBXBpbmdzGAQgASgIEhIKCnNlbnRfYXRfbXMYBSABKAESDQoFc3RlYWwYBiABKAgSDQoFbGFiZWwYByABKAkSFAoMaWZfYXZhaWxhYmxlGAggASgIEhUKC21heF9ob2xkX21zGAkgASgNSAISEwoLYXRfbGVhc3RfbXMYCiABKA0SDAoEa2VlcBgLIAEoCBIMCgRwYXNzGAwgASgIQgYKBG5hbWVCCgoIcGF0aWVuY2VCBwoFbGltaXQiGgoEUGluZxISCgpzZW50X2F0X21zGAEgASgBInMKCUhvbGRFdmVudBIYCgZxdWV1ZWQYASABKAsyBlF1ZXVlZEgAEhQKBGhlbGQYAiABKAsyBEhlbGRIABIWCgV2YWxpZBgDIAEoCzIFVmFsaWRIABIWCgVlbmRlZBgEIAEoCzIFRW5kZWRIAEIGCgRraW5kIikKBlF1ZXVlZBIQCghsZWFzZV9tcxgBIAEoDRINCgVhaGVhZBgCIAMoCSJRCgRIZWxkEg0KBXRva2VuGAEgASgEEhQKDHZhbGlkX2Zvcl9tcxgCIAEoDRISCgpzZW50X2F0X21zGAMgASgBEhAKCGxlYXNlX21zGAQgASgNIjEKBVZhbGlkEhQKDHZhbGlkX2Zvcl9tcxgBIAEoDRISCgpzZW50X2F0X21zGAIgASgBIpoCCgVFbmRlZBIWCgZyZWFzb24YASABKA4yBlJlYXNvbhIPCgdtZXNzYWdlGAIgASgJEhAKCGRlZmluaXRlGAMgASgIItUBCgZSZWFzb24SFgoSUkVBU09OX1VOU1BFQ0lGSUVEEAASEgoOUkVBU09OX1RJTUVPVVQQARIUChBSRUFTT05fTk9fUVVPUlVNEAISDwoLUkVBU09OX0xPU1QQAxIRCg1SRUFTT05fQ0xPU0VEEAQSEQoNUkVBU09OX0NPTkZJRxAFEhEKDVJFQVNPTl9TVE9MRU4QBhITCg9SRUFTT05fUkVMRUFTRUQQBxISCg5SRUFTT05fRVhQSVJFRBAIEhYKElJFQVNPTl9VTkFWQUlMQUJMRRAJIp8BCgtDbGllbnRGcmFtZRIbCgVoZWxsbxgBIAEoCzIMU2Vzc2lvbkhlbGxvEhIKCnNlbnRfYXRfbXMYAiABKAESEAoIcmVsZWFzZXMYAyADKAQSIAoIYWNxdWlyZXMYBCADKAsyDlNlc3Npb25BY3F1aXJlEhsKBXNwZW50GAUgAygLMgxTZXNzaW9uU3BlbnQSDgoGaW5fdXNlGAYgAygEIikKDFNlc3Npb25TcGVudBIKCgJpZBgBIAEoBBINCgV0b2tlbhgCIAEoBCJNCgxTZXNzaW9uSGVsbG8SDwoHc2Vzc2lvbhgBIAEoDBIOCgZzZWNyZXQYAiABKAwSDgoGc3RyZWFtGAMgASgEEgwKBGtlZXAYBCADKAQiNgoOU2Vzc2lvbkFjcXVpcmUSCgoCaWQYASABKAQSGAoHYWNxdWlyZRgCIAEoCzIHQWNxdWlyZSL6AQoJTm9kZUZyYW1lEh8KB3dlbGNvbWUYASABKAsyDlNlc3Npb25XZWxjb21lEhIKCnNlbnRfYXRfbXMYAiABKAESHQoGcXVldWVkGAMgAygLMg1TZXNzaW9uUXVldWVkEhkKBGhlbGQYBCADKAsyC1Nlc3Npb25IZWxkEhsKBXZhbGlkGAUgAygLMgxTZXNzaW9uVmFsaWQSGwoFZW5kZWQYBiADKAsyDFNlc3Npb25FbmRlZBIaChBhbGxfdmFsaWRfZm9yX21zGAcgASgNSAASEQoJbm9fcXVvcnVtGAggASgIEg4KBndhbnRlZBgJIAMoBEIFCgNhbGwiMwoOU2Vzc2lvbldlbGNvbWUSDwoHcmVzdW1lZBgBIAEoCBIQCghsZWFzZV9tcxgCIAEoDSIwCgxTZXNzaW9uRW5kZWQSCgoCaWQYASABKAQSFAoFZW5kZWQYAiABKAsyBUVuZGVkIioKDVNlc3Npb25RdWV1ZWQSCgoCaWQYASABKAQSDQoFYWhlYWQYAiADKAkiYwoLU2Vzc2lvbkhlbGQSCgoCaWQYASABKAQSDQoFdG9rZW4YAiABKAQSFAoMdmFsaWRfZm9yX21zGAMgASgNEhIKCnJvb21fdW50aWwYBCABKAQSDwoHcGFzc190bxgFIAMoBCIwCgxTZXNzaW9uVmFsaWQSCgoCaWQYASABKAQSFAoMdmFsaWRfZm9yX21zGAIgASgNIl8KDFF1ZXJ5UmVxdWVzdBIPCgdjbHVzdGVyGAEgASgIEhIKCnBhZ2VfdG9rZW4YAiABKAkSEgoKcGFnZV9ieXRlcxgDIAEoDRIOCgRsb2NrGAQgASgMSABCBgoEbmFtZSJsCgpRdWVyeVJlcGx5EhYKBGhlbGQYASADKAsyCExvY2tJbmZvEhkKB3BlbmRpbmcYAiADKAsyCExvY2tJbmZvEhIKCnVuYW5zd2VyZWQYAyADKAkSFwoPbmV4dF9wYWdlX3Rva2VuGAQgASgJIoYBCghMb2NrSW5mbxIMCgRsb2NrGAEgASgMEhYKBG1vZGUYAiABKA4yCExvY2tNb2RlEhEKCWNsaWVudF9pZBgDIAEoCRINCgVsYWJlbBgEIAEoCRINCgV0b2tlbhgFIAEoBBIOCgZmb3JfbXMYBiABKAQSEwoLa2VwdF9mb3JfbXMYByABKAQiJgoMV2F0Y2hSZXF1ZXN0Eg4KBGxvY2sYASABKAxIAEIGCgRuYW1lIqgBCgpXYXRjaEV2ZW50EhYKBmNoYW5nZRgBIAEoDjIGQ2hhbmdlEhYKBGxvY2sYAiABKAsyCExvY2tJbmZvImoKBkNoYW5nZRIWChJDSEFOR0VfVU5TUEVDSUZJRUQQABIPCgtDSEFOR0VfSEVMRBABEhMKD0NIQU5HRV9SRUxFQVNFRBACEg8KC0NIQU5HRV9MT1NUEAMSEQoNQ0hBTkdFX01JU1NFRBAEIigKDk9ic2VydmVSZXF1ZXN0Eg4KBGxvY2sYASABKAxIAEIGCgRuYW1lIiYKDE9ic2VydmVFdmVudBIWCgZsZWFkZXIYASABKAsyBkxlYWRlciI5CgZMZWFkZXISEQoJY2xpZW50X2lkGAEgASgJEg0KBWxhYmVsGAIgASgJEg0KBXRva2VuGAMgASgEIiMKDVN0YXR1c1JlcXVlc3QSEgoKcGFnZV90b2tlbhgBIAEoCSLuAgoLU3RhdHVzUmVwbHkSDAoEbm9kZRgBIAEoCRIPCgdjbHVzdGVyGAIgASgJEg4KBmRpZ2VzdBgDIAEoCRIRCgl1cHRpbWVfbXMYBCABKAQSDQoFY2xvY2sYBSABKAQSGQoFcGVlcnMYBiADKAsyClBlZXJTdGF0dXMSGQoFbG9ja3MYByADKAsyCkxvY2tTdGF0dXMSEwoEc2VudBgIIAMoCzIFQ291bnQSFwoIcmVjZWl2ZWQYCSADKAsyBUNvdW50EhYKB2lnbm9yZWQYCiADKAsyBUNvdW50Eg8KB2VudHJpZXMYCyABKAQSDgoGbGF5b3V0GAwgASgJEg8KB25vdGljZXMYDSADKAkSDwoHdmVyc2lvbhgOIAEoCRIYCgVzdGF0ZRgPIAEoCzIJTm9kZVN0YXRlEhwKFHJlc3RzX29uX3dhbGxfY2xvY2tzGBAgASgIEhcKD25leHRfcGFnZV90b2tlbhgRIAEoCSLkAQoJTm9kZVN0YXRlEhIKBGtpbmQYASABKA4yBEtpbmQSFAoMc2VydmVzX2xvY2tzGAIgASgIEhIKCmxlbmRzX3ZvdGUYAyABKAgSDgoGZm9yX21zGAQgASgEEgwKBHRleHQYBSABKAkiewoES2luZBIUChBLSU5EX1VOU1BFQ0lGSUVEEAASDgoKS0lORF9SRUFEWRABEg8KC0tJTkRfU0lMRU5UEAISEgoOS0lORF9OT19RVU9SVU0QAxIVChFLSU5EX0NBTk5PVF9XUklURRAEEhEKDUtJTkRfU1RPUFBJTkcQBSIiCgVDb3VudBIKCgJvZhgBIAEoCRINCgVjb3VudBgCIAEoBCJHCgpQZWVyU3RhdHVzEgwKBG5vZGUYASABKAkSDwoHYWRkcmVzcxgCIAEoCRIKCgJ1cBgDIAEoCBIOCgZyZWFzb24YBCABKAkimgEKCkxvY2tTdGF0dXMSDAoEbG9jaxgBIAEoDBIaCgZncmFudHMYAiADKAsyClZvdGVTdGF0dXMSGQoFcXVldWUYAyADKAsyClZvdGVTdGF0dXMSHgoHY2FsbGVycxgEIAEoCzINQ2FsbGVyc1N0YXR1cxITCgttb3JlX2dyYW50cxgFIAEoDRISCgptb3JlX3F1ZXVlGAYgASgNIkUKClZvdGVTdGF0dXMSDAoEbm9kZRgBIAEoCRIRCgl0aW1lc3RhbXAYAiABKAQSFgoEbW9kZRgDIAEoDjIITG9ja01vZGUi5gEKDUNhbGxlcnNTdGF0dXMSFAoFc3RhdGUYASABKA4yBVN0YXRlEg4KBmluc2lkZRgCIAEoDRIPCgd3YWl0aW5nGAMgASgNEg0KBXRva2VuGAQgASgEEhQKDHZhbGlkX2Zvcl9tcxgFIAEoDSJ5CgVTdGF0ZRIVChFTVEFURV9VTlNQRUNJRklFRBAAEg4KClNUQVRFX0lETEUQARIRCg1TVEFURV9XQUlUSU5HEAISDgoKU1RBVEVfSEVMRBADEhIKDlNUQVRFX1JFVEFJTkVEEAQSEgoOU1RBVEVfUkVDQUxMRUQQBSpUCghMb2NrTW9kZRIZChVMT0NLX01PREVfVU5TUEVDSUZJRUQQABIXChNMT0NLX01PREVfRVhDTFVTSVZFEAESFAoQTE9DS19NT0RFX1NIQVJFRBACMvsCCgVMb2NrcxI6CgRIb2xkEhcubWFla2F3YS52MS5Ib2xkUmVxdWVzdBoVLm1hZWthd2EudjEuSG9sZEV2ZW50KAEwARI9CgdTZXNzaW9uEhcubWFla2F3YS52MS5DbGllbnRGcmFtZRoVLm1hZWthd2EudjEuTm9kZUZyYW1lKAEwARI5CgVRdWVyeRIYLm1hZWthd2EudjEuUXVlcnlSZXF1ZXN0GhYubWFla2F3YS52MS5RdWVyeVJlcGx5EjsKBVdhdGNoEhgubWFla2F3YS52MS5XYXRjaFJlcXVlc3QaFi5tYWVrYXdhLnYxLldhdGNoRXZlbnQwARJBCgdPYnNlcnZlEhoubWFla2F3YS52MS5PYnNlcnZlUmVxdWVzdBoYLm1hZWthd2EudjEuT2JzZXJ2ZUV2ZW50MAESPAoGU3RhdHVzEhkubWFla2F3YS52MS5TdGF0dXNSZXF1ZXN0GhcubWFla2F3YS52MS5TdGF0dXNSZXBseWIGcHJvdG8z';
